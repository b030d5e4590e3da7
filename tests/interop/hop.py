#!/usr/bin/env python3
"""A next hop whose failures are scripted. It keeps what it accepts, octet for
octet, as files that stand before the reply leaves, so that it can be killed at
any moment and what it had answered 250 is there.

    hop.py --listen ADDRESS:PORT --folder DIR [--fault PHASE=ACTION] [--every N]
           [--certificate PEM --key PEM]

PHASE   connect, ehlo, mail, rcpt, data, body (half of it read), dot
ACTION  a reply ("451 4.3.0 no"), close, or at dot keep-close: the message is
        kept and the connection closed without a reply
--every N: the fault strikes each N-th time only.

Prints `ready ADDRESS:PORT`; ends at SIGTERM.
"""
import argparse
import asyncio
import itertools
import json
import os
import signal
import ssl

REPLIES = {"connect": "220 hop.test ESMTP", "mail": "250 2.1.0 ok",
           "rcpt": "250 2.1.5 ok", "data": "354 go on",
           "dot": "250 2.0.0 kept"}
EXTENSIONS = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
              "SIZE 50000000"]


class Hop:
    def __init__(self, folder, fault, every, tls):
        self.folder, self.every, self.tls = folder, every, tls
        self.phase, _, self.action = fault.partition("=")
        self.strikes = itertools.count(1)
        self.serial = itertools.count()
        os.makedirs(folder, exist_ok=True)

    def struck(self, phase):
        """The action to take at phase, or None."""
        if phase == self.phase and next(self.strikes) % self.every == 0:
            return self.action
        return None

    def keep(self, envelope, data):
        # The pid keeps the files of a killed hop and its heir apart.
        name = os.path.join(self.folder,
                            f"{os.getpid()}-{next(self.serial):06}")
        with open(name + ".json", "w") as f:
            json.dump(envelope, f)
        with open(name + ".part", "wb") as f:
            f.write(data)
        os.rename(name + ".part", name + ".eml")

    async def serve(self, reader, writer):
        try:
            await self.session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def session(self, reader, writer):
        envelope = {"tls": False, "rcpt": []}

        async def answer(phase, default=None):
            """Send the reply of a phase; its first digit, or None to close."""
            text = self.struck(phase) or default or REPLIES[phase]
            if text == "close":
                return None
            writer.write(text.encode() + b"\r\n")
            await writer.drain()
            return text[0]

        if await answer("connect") is None:
            return
        while True:
            line = await reader.readuntil(b"\r\n")
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(
                " ")
            verb = verb.upper()
            if verb in ("EHLO", "HELO"):
                offer = ["hop.test"] + EXTENSIONS
                if self.tls and not envelope["tls"]:
                    offer.append("STARTTLS")
                text = "\r\n".join("250-" + o for o in offer[:-1])
                got = await answer("ehlo", f"{text}\r\n250 {offer[-1]}")
            elif verb == "STARTTLS" and self.tls:
                writer.write(b"220 2.0.0 go on\r\n")
                await writer.drain()
                await writer.start_tls(self.tls)
                envelope["tls"] = True
                got = "2"
            elif verb == "MAIL":
                got = await answer("mail")
                envelope["mail"] = rest if got == "2" else None
                envelope["rcpt"] = []
            elif verb == "RCPT" and envelope.get("mail") is None:
                got = await answer("-", "503 5.5.1 no sender")
            elif verb == "RCPT":
                got = await answer("rcpt")
                if got == "2":
                    envelope["rcpt"].append(rest)
            elif verb == "DATA" and not envelope["rcpt"]:
                got = await answer("-", "503 5.5.1 no recipient")
            elif verb == "DATA":
                got = await answer("data")
                if got == "3":
                    got = await self.message(reader, envelope, answer)
            elif verb == "RSET":
                envelope["rcpt"] = []
                writer.write(b"250 2.0.0 ok\r\n")
                got = "2"
            elif verb == "QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"502 5.5.1 what\r\n")
                got = "5"
            if got is None:
                return

    async def message(self, reader, envelope, answer):
        lines = []
        cut = self.struck("body")
        while True:
            line = await reader.readuntil(b"\r\n")
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
            if cut and len(lines) == 5:
                return None
        data = b"".join(lines)
        if self.phase != "dot":
            self.keep(envelope, data)
            return await answer("dot")
        act = self.struck("dot")
        if act is None or act == "keep-close":
            self.keep(envelope, data)
        if act in ("close", "keep-close"):
            return None
        return await answer("-", act or REPLIES["dot"])


async def run(args):
    tls = None
    if args.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.certificate, args.key)
    hop = Hop(args.folder, args.fault, args.every, tls)
    address, _, port = args.listen.rpartition(":")
    server = await asyncio.start_server(hop.serve, address, int(port),
                                        limit=1 << 20, backlog=200)
    port = server.sockets[0].getsockname()[1]
    print(f"ready {address}:{port}", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--fault", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    asyncio.run(run(parser.parse_args()))
