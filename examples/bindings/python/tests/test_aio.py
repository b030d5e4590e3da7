import asyncio
import contextlib
import logging
import socket
import threading
import unittest

from support import CLIENT, PLAIN, RSA, RULES, SIGNED, ZONE, from_zone, onward

import onward.aio


async def later(name, kind):
    await asyncio.sleep(0)
    return from_zone(name, kind)


class Aio(unittest.IsolatedAsyncioTestCase):
    async def test_a_message(self):
        verdict = await onward.aio.verify(SIGNED, dns=later, **CLIENT)
        self.assertTrue(verdict.passed)
        # A plain function and records will do, too.
        self.assertTrue((await onward.aio.verify(
            SIGNED, dns=from_zone, **CLIENT)).passed)
        self.assertTrue((await onward.aio.verify(
            SIGNED, dns=ZONE, **CLIENT)).passed)

    async def test_many_at_once_ask_once(self):
        asked = []

        async def answers(name, kind):
            asked.append((name, kind))
            return await later(name, kind)
        async with onward.aio.Host(answers) as host:
            found = await asyncio.gather(*(
                host.verify(SIGNED, **CLIENT) for _ in range(20)))
        self.assertTrue(all(verdict.passed for verdict in found))
        self.assertEqual(len(asked), len(set(asked)))

    async def test_in_pieces_while_dns_is_at_work(self):
        async with onward.aio.Host(later) as host:
            verifier = host.verifier(**CLIENT)
            for i in range(0, len(SIGNED), 100):
                verifier.feed(SIGNED[i:i + 100])
                await asyncio.sleep(0)
            verifier.finish()
            self.assertTrue((await verifier.result()).passed)
            self.assertTrue((await verifier.result()).passed)

    async def test_spf_and_dmarc(self):
        async with onward.aio.Host(later) as host:
            spf, dmarc = await asyncio.gather(
                host.spf(**CLIENT).result(),
                host.dmarc("example.com", dkim=["example.com"]).result())
        self.assertEqual((spf.result, dmarc.result), ("pass", "pass"))

    async def test_sign_and_seal(self):
        async with onward.aio.Host(later) as host:
            signer = host.signer(onward.Key(RSA))
            made = onward.aio.DkimSigner(signer, domain="example.com",
                                         selector="sel")
            made.feed(PLAIN)
            made.finish()
            signed = await made.result() + PLAIN
            verifier = host.verifier(authserv_id="mx.example.net", **CLIENT)
            verifier.feed(signed)
            verifier.finish()
            self.assertTrue((await verifier.result()).passed)
            sealer = onward.aio.ArcSealer(
                signer, verifier, domain="fwd.example.net", selector="arc")
            sealer.feed(signed)
            sealer.finish()
            sealed = await sealer.result() + signed
        self.assertEqual(onward.verify(sealed, dns=ZONE).arc.result, "pass")

    async def test_a_key_elsewhere(self):
        import nacl.signing
        secret = nacl.signing.SigningKey.generate()
        der = bytes.fromhex("302a300506032b6570032100") + bytes(
            secret.verify_key)

        async def sign(kind, data):
            await asyncio.sleep(0)
            return secret.sign(data).signature

        async def broken(kind, data):
            raise PermissionError("locked")
        async with onward.aio.Host(ZONE) as host:
            for function in (sign, broken):
                made = onward.aio.DkimSigner(
                    host.signer(der, sign=function), domain="a.example",
                    selector="s")
                made.feed(PLAIN)
                made.finish()
                if function is sign:
                    self.assertIn(b"ed25519", await made.result())
                else:
                    with self.assertRaisesRegex(PermissionError, "locked"):
                        await made.result()

    async def relay(self, host, handler, **options):
        ruleset = onward.Ruleset(RULES)
        verifier = host.verifier(authserv_id="mx.example.com", **CLIENT)
        relay = host.relay(
            ruleset, hostname="mx.example.com", mail_from="alice@example.com",
            handlers={"ticket-desk": handler}, **options)
        self.assertEqual(relay.rcpt("tickets@example.com").code, 250)
        verifier.feed(SIGNED)
        verifier.finish()
        await verifier.result()
        relay.start(verifier, SIGNED)
        return await relay.result()

    async def test_a_handler_waits_for_what_it_asked_for(self):
        order = []

        async def handler(event):
            action = await event.forward("desk@example.net")
            order.append((action.state, str(action.reply)))
            with self.assertRaises(onward.Refused) as caught:
                await event.forward("me@example.net")
            order.append(caught.exception.name)
            event.actions[1].forgive()
            await event.reply(text="We have it.\n")
            await event.actions[0]  # over already

        async def deliver(delivery):
            await asyncio.sleep(0)
            return "250 2.0.0 ok" if delivery.recipient.startswith("desk") \
                else "550 5.1.1 gone"
        kept = []

        async def submit(submission):
            await asyncio.sleep(0)
            kept.append(submission)
        async with onward.aio.Host(later) as host:
            outcome = await self.relay(host, handler, deliver=deliver,
                                       submit=submit)
        self.assertEqual(outcome.reply.code, 250)
        self.assertEqual(order, [("done", "250 2.0.0 ok"), "E_PERMANENT"])
        self.assertEqual(kept[0].rcpt_to, ("alice@example.com",))

    async def test_a_handler_that_is_no_coroutine(self):
        async with onward.aio.Host(later) as host:
            outcome = await self.relay(
                host, lambda event: event.set_reject("no"), deliver=print)
        self.assertEqual(str(outcome.reply), "550 5.7.1 no")

    async def test_a_handler_that_raises(self):
        async def handler(event):
            await asyncio.sleep(0)
            raise RuntimeError("oops")

        def at_once(event):
            raise RuntimeError("oops")
        for function in (handler, at_once):
            async with onward.aio.Host(later) as host:
                with self.assertRaisesRegex(RuntimeError, "oops"):
                    await self.relay(host, function, deliver=print)

    async def test_a_handler_that_never_settles(self):
        started = []

        async def handler(event):
            started.append(asyncio.current_task())
            await asyncio.Event().wait()
        async with onward.aio.Host(later) as host:
            outcome = await self.relay(host, handler, deliver=print,
                                       handler_timeout=0.05)
            self.assertEqual(outcome.reply.code, 451)
        self.assertTrue(started[0].cancelled())

    async def test_dns_that_raises(self):
        logging.disable()  # the others of several at once
        self.addCleanup(logging.disable, logging.NOTSET)

        async def broken(name, kind):
            await asyncio.sleep(0)
            raise ZeroDivisionError

        def at_once(name, kind):
            raise ZeroDivisionError
        for function in (broken, at_once):
            async with onward.aio.Host(function) as host:
                found = await asyncio.gather(
                    *(host.verify(SIGNED, **CLIENT) for _ in range(3)),
                    return_exceptions=True)
                self.assertEqual([type(one) for one in found],
                                 [ZeroDivisionError] * 3)

    async def test_dns_that_never_answers(self):
        tasks = []

        async def never(name, kind):
            tasks.append(asyncio.current_task())
            await asyncio.Event().wait()
        async with onward.aio.Host(never, dns_timeout=0.05) as host:
            found = await host.spf(**CLIENT).result()
            self.assertEqual(found.result, "temperror")
        self.assertTrue(tasks[0].cancelled())

    async def test_closing_ends_who_waits(self):
        async def never(name, kind):
            await asyncio.Event().wait()
        for what in ("host", "verifier", "cancel"):
            with self.subTest(what=what):
                host = onward.aio.Host(never)
                verifier = host.verifier(**CLIENT)
                verifier.feed(SIGNED)
                verifier.finish()
                waiting = asyncio.ensure_future(verifier.result())
                await asyncio.sleep(0.01)
                if what == "host":
                    host.close()
                elif what == "verifier":
                    verifier.close()
                else:
                    waiting.cancel()
                with self.assertRaises(asyncio.CancelledError
                                       if what == "cancel"
                                       else onward.ClosedError):
                    await asyncio.wait_for(waiting, 10)
                host.close()
                host.close()
                with self.assertRaises(onward.ClosedError):
                    host.verifier()
                with self.assertRaises(onward.ClosedError):
                    await verifier.result()

    async def test_what_no_event_loop_runs(self):
        with onward.Desk() as desk:
            verifier = onward.aio.Verifier(onward.Resolver(desk, ZONE))
            with self.assertRaisesRegex(onward.StateError, "event loop"):
                await verifier.result()


@contextlib.contextmanager
def name_server():
    """A name server on loopback that knows the zone; what is long it gives
    over TCP only."""
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rrset
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for _ in range(100):  # a port that both have free
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
            break
        except OSError:
            tcp.close()
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.listen()

    def answer(data, over_tcp):
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name, query.question[0].rdtype
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | (query.flags & dns.flags.AD)
        lines = (from_zone(name.to_text().rstrip("."),
                           dns.rdatatype.to_text(kind)) or "")
        for line in lines.splitlines():
            owner, ttl, _, found, rdata = line.split(" ", 4)
            if dns.rdatatype.from_text(found) == kind:
                reply.answer.append(dns.rrset.from_text(
                    owner, int(ttl), "IN", found, rdata))
        if not lines:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if lines and not over_tcp and len(lines) > 300:
            reply.answer = []
            reply.flags |= dns.flags.TC
        return reply.to_wire()

    def serve_udp():
        while True:
            data, peer = udp.recvfrom(65535)
            if data == b"end":
                return
            udp.sendto(answer(data, False), peer)

    def serve_tcp():
        while True:
            connection, _ = tcp.accept()
            with connection, connection.makefile("rb") as stream:
                length = int.from_bytes(stream.read(2), "big")
                if length == 0:
                    return
                reply = answer(stream.read(length), True)
                connection.sendall(len(reply).to_bytes(2, "big") + reply)
    threads = [threading.Thread(target=serve_udp),
               threading.Thread(target=serve_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield udp.getsockname()[1]
    finally:
        udp.sendto(b"end", udp.getsockname())
        socket.create_connection(tcp.getsockname()).close()
        for thread in threads:
            thread.join(30)
        udp.close()
        tcp.close()


class NameServers(unittest.IsolatedAsyncioTestCase):
    async def test_real_questions(self):
        with name_server() as port:
            for trust in (False, True):
                ask = onward.aio.system_dns(["127.0.0.1"], port=port,
                                            timeout=20, trust_ad=trust)
                verdict = await onward.aio.verify(SIGNED, dns=ask, **CLIENT)
                self.assertTrue(verdict.passed)
                self.assertEqual(verdict.dkim[0].is_secure, trust)

    def test_real_questions_without_an_event_loop(self):
        with name_server() as port:
            ask = onward.dns.system(["127.0.0.1"], port=port, timeout=20)
            self.assertTrue(onward.verify(SIGNED, dns=ask, **CLIENT).passed)

    async def test_nobody_there(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            port = deaf.getsockname()[1]
            ask = onward.aio.system_dns(["127.0.0.1"], port=port, timeout=0.05)
            async with onward.aio.Host(ask) as host:
                found = await host.spf(**CLIENT).result()
            self.assertEqual(found.result, "temperror")
            ask = onward.dns.system(["127.0.0.1"], port=port, timeout=0.05)
            self.assertEqual(onward.spf(dns=ask, **CLIENT).result,
                             "temperror")


if __name__ == "__main__":
    unittest.main()
