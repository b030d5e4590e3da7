#!/usr/bin/env python3
"""service.py PROGRAM [CASE...]: the forwarder as a service: it starts, says
where it listens, reloads, drains, stops."""
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import time

from forwarder import (Cases, Client, Forwarder, Hop, MESSAGE, RULES,
                       begins, equal, holds, json, make_certificate, until)

case = Cases()

SLOW_S = 1.5


def slowly(reply="250 2.0.0 taken late", seconds=SLOW_S):
    def answer(_):
        time.sleep(seconds)
        return reply
    return answer


def answered(client):
    """A delivery that runs: the message was sent, its answer is to come."""
    equal(client.envelope(), "250 2.1.5 Recipient OK")
    begins(client.say("DATA"), "354")
    client.write(MESSAGE + b".\r\n")


# ---- Start ----------------------------------------------------------------

@case
def says_where_it_listens(program):
    listen = ["127.0.0.1:0", "[::1]:0", "127.0.0.2:0"]
    with Forwarder(program) as f:
        f.start(listen=listen)
        equal(bool(re.fullmatch(r"ready 127\.0\.0\.1:\d+ \[::1\]:\d+ "
                                r"127\.0\.0\.2:\d+\n", f.ready)), True)
        assert all(port != 0 for _, port in f.addresses)
        for address in f.addresses:
            with Client(address, greet=False) as c:
                begins(c.reply(), "220 mx.zone.example ")
        equal(f.stop(), 0)


@case
def says_nothing_else_on_standard_output(program):
    with Forwarder(program) as f:
        f.start(log=None)
        with f.client() as c:
            c.send(to="void@zone.example")
        f.signal(signal.SIGTERM)
        equal(f.process.stdout.read(), b"")
        equal(f.process.wait(10), 0)
        # Without a file the log is on standard error.
        lines = (f.path / "errors.txt").read_text().splitlines()
        equal([json.loads(line)["event"] for line in lines], ["message"])


@case
def takes_mail_over_ipv6(program):
    with Forwarder(program) as f, Hop(f) as hop:
        f.start(listen="[::1]:0")
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
        holds(hop.messages[0][2],
              b"Received: from client.sender.example ([IPv6:::1])")
        equal(f.log()[0]["client"], "::1")


@case
def tells_systemd(program):
    with Forwarder(program) as f:
        path = str(f.path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(10)
            f.start(env={"NOTIFY_SOCKET": path})
            equal(s.recv(200), b"READY=1")
            f.reload()
            begins(s.recv(200).decode(), "RELOADING=1\nMONOTONIC_USEC=")
            equal(s.recv(200), b"READY=1")
            equal(f.stop(), 0)
            equal(s.recv(200), b"STOPPING=1")


@case
def tells_systemd_by_an_abstract_name(program):
    with Forwarder(program) as f:
        name = f"onward-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind("\0" + name)
            s.settimeout(10)
            f.start(env={"NOTIFY_SOCKET": "@" + name})
            equal(s.recv(200), b"READY=1")


@case
def ends_with_3_at_a_busy_port(program):
    with Forwarder(program) as f, socket.create_server(("127.0.0.1", 0)) as s:
        address = f"127.0.0.1:{s.getsockname()[1]}"
        f.configure(listen=address)
        done = f.run("--config", "forwarder.conf")
        equal(done.returncode, 3)
        equal(done.stderr.decode(),
              f"onward-forwarder: {address}: Address already in use, "
              "expected a free address and port\n")
        equal(done.stdout, b"")


@case
def checks_without_listening(program):
    with Forwarder(program) as f, socket.create_server(("127.0.0.1", 0)) as s:
        f.configure(listen=f"127.0.0.1:{s.getsockname()[1]}")
        done = f.run("--config", "forwarder.conf", "--check")
        equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        assert not (f.path / "log.json").exists()


@case
def checks_where_libunbound_asks(program):
    with Forwarder(program) as f:
        f.configure(dns=None, resolver="127.0.0.1@5353")
        done = f.run("--config", "forwarder.conf", "--check")
        equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))


@case
def ends_with_2_at_a_wrong_command_line(program):
    with Forwarder(program) as f:
        equal(f.run().returncode, 2)
        done = f.run("--config", "forwarder.conf", "--chek")
        equal(done.returncode, 2)
        equal(done.stderr, b'onward-forwarder: "--chek", expected --config '
              b"FILE or --check\n")
        done = f.run("--config")
        equal(done.returncode, 2)
        done = f.run("--help")
        equal((done.returncode, done.stdout[:23]),
              (0, b"usage: onward-forwarder"))


@case
def ends_with_3_when_the_log_cannot_be_written(program):
    with Forwarder(program) as f:
        f.configure(log="nowhere/log.json")
        done = f.run("--config", "forwarder.conf")
        equal(done.returncode, 3)
        equal(done.stderr, b"onward-forwarder: nowhere/log.json: No such file "
              b"or directory, expected a writable file\n")


@case
def drops_root(program):
    if os.geteuid() != 0:
        print("drops_root: skipped, not root")
        return
    with Forwarder(program) as f:
        f.path.chmod(0o777)
        f.start(user="nobody")
        status = open(f"/proc/{f.process.pid}/status").read()
        nobody = pwd.getpwnam("nobody")
        for name, number in (("Uid", nobody.pw_uid), ("Gid", nobody.pw_gid)):
            equal(re.search(rf"{name}:\s+(.*)", status).group(1).split(),
                  [str(number)] * 4)
        groups = re.search(r"Groups:(.*)", status).group(1).split()
        assert "0" not in groups, groups
        equal((f.path / "log.json").stat().st_uid, nobody.pw_uid)
        # What only root may read it cannot read again.
        (f.path / "seal.pem").chmod(0o600)
        equal(f.reload()["detail"],
              "seal.pem: Permission denied, expected a readable file")
        (f.path / "seal.pem").chmod(0o644)
        equal(f.reload()["event"], "reloaded")
        equal(f.stop(), 0)


# ---- SIGTERM --------------------------------------------------------------

@case
def says_421_to_idle_sessions(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as idle, f.client() as inside:
            begins(inside.envelope(), "250")
            begins(inside.say("DATA"), "354")
            inside.write(b"From: x@sender.exam")
            time.sleep(0.1)
            f.signal(signal.SIGTERM)
            begins(idle.reply(), "421 4.3.2 ")
            begins(inside.reply(), "421 4.3.2 ")
            equal(f.process.wait(5), 0)
        # What had begun is in the log, though nobody was answered.
        (line,) = f.events("message")
        equal((line["code"], line["route"], line["size"] > 0),
              (0, "none", True))


@case
def takes_no_sessions_while_it_drains(program):
    with Forwarder(program) as f, Hop(f, end=slowly()) as hop:
        f.start()
        with f.client() as c:
            answered(c)
            until(lambda: hop.heard("DATA"))
            time.sleep(0.1)
            f.signal(signal.SIGTERM)
            time.sleep(0.2)
            try:
                Client(f.addresses[0], greet=False).close()
                raise AssertionError("it listens")
            except ConnectionRefusedError:
                pass
            # The delivery that ran comes to its end.
            equal(c.reply(), "250 2.0.0 taken late")
            begins(c.reply(), "421 4.3.2 ")
            equal(f.process.wait(5), 0)
        equal(len(hop.messages), 1)


@case
def cuts_what_takes_longer_than_drain_s(program):
    # The hop is slow before the data, so that the final dot is still to come.
    with Forwarder(program) as f, Hop(f, data=slowly("354 go", 4)) as hop:
        f.start(drain_s=1)
        with f.client() as c:
            answered(c)
            until(lambda: hop.heard("DATA"))
            begin = time.monotonic()
            f.signal(signal.SIGTERM)
            equal(c.reply(), "421 4.3.2 going down, come again later")
            equal(f.process.wait(5), 0)
            assert 0.8 < time.monotonic() - begin < 2.5
        assert until(lambda: hop.ends)
        equal((hop.ends, hop.messages), (["content"], []))
        (line,) = f.events("message")
        equal((line["code"], line["deliveries"][0]["fate"]),
              (421, "pending"))


@case
def does_not_wait_with_drain_s_0(program):
    with Forwarder(program) as f, Hop(f, data=slowly("354 go", 3)) as hop:
        f.start(drain_s=0)
        with f.client() as c:
            answered(c)
            until(lambda: hop.heard("DATA"))
            begin = time.monotonic()
            equal(f.stop(), 0)
            assert time.monotonic() - begin < 1


@case
def stops_at_sigint_too(program):
    with Forwarder(program) as f:
        f.start()
        f.signal(signal.SIGINT)
        equal(f.process.wait(5), 0)


# ---- SIGHUP ---------------------------------------------------------------

def with_rule(to, action):
    rules = json.loads(json.dumps(RULES))
    rules["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to", "value": to}],
         "actions": [action]})
    return json.dumps(rules)


@case
def takes_new_rules_with_the_next_message(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as old:
            begins(old.send(to="new@zone.example"), "550 5.1.1")
            old.say("RSET")
            f.write("rules.json", with_rule("new@zone.example",
                                            {"type": "drop"}))
            equal(f.reload()["event"], "reloaded")
            begins(old.send(to="new@zone.example"), "250 2.0.0")
            with f.client() as new:
                begins(new.send(to="new@zone.example"), "250 2.0.0")


@case
def takes_new_records_for_new_sessions(program):
    with Forwarder(program) as f, Hop(f, number=3) as hop:
        f.start()
        records = (f.path / "zone.txt").read_text()
        f.write("zone.txt", records.replace("127.0.0.11", "127.0.0.13"))
        equal(f.reload()["event"], "reloaded")
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
        equal(len(hop.messages), 1)


@case
def takes_a_new_certificate_for_new_sessions(program):
    with Forwarder(program) as f:
        for name in ("first", "second"):
            make_certificate(f.path, name, "mx.zone.example")

        def use(name):
            for end in ("crt", "key"):
                shutil.copy(f.path / f"{name}.{end}", f.path / f"tls.{end}")

        use("first")
        f.start(tls_certificate="tls.crt", tls_key="tls.key")
        with f.client() as old, f.client() as other:
            holds(old.starttls(f.path / "first.crt"), "250")
            use("second")
            equal(f.reload()["event"], "reloaded")
            # Both had begun before: one has its TLS, one gets it now.
            begins(old.say("NOOP"), "250")
            holds(other.starttls(f.path / "first.crt"), "250")
            with f.client() as new:
                holds(new.starttls(f.path / "second.crt"), "250")


@case
def keeps_what_it_has_when_a_file_is_broken(program):
    with Forwarder(program) as f:
        f.start()
        good = {name: (f.path / name).read_bytes()
                for name in ("rules.json", "zone.txt", "seal.pem",
                             "secrets.txt", "forwarder.conf")}
        broken = {
            "rules.json": ('{"version":1,\n"zones":7}', "rules.json:2: zones"),
            "zone.txt": ("one.example. 60 IN MX\n", "zone.txt:1: "),
            "seal.pem": ("no key\n", "seal.pem:1: "),
            "secrets.txt": ("", "secrets.txt:1: an empty file"),
            "forwarder.conf": ("listen = 127.0.0.1:0\nhostnam = x\n",
                               'forwarder.conf:2: unknown key "hostnam", '),
        }
        for name, (text, why) in broken.items():
            f.write(name, text)
            event = f.reload()
            equal(event["event"], "reload-failed")
            begins(event["detail"], why)
            f.write(name, good[name])
            with f.client() as c:
                begins(c.send(to="void@zone.example"), "250 2.0.0")
        (f.path / "rules.json").unlink()
        equal(f.reload()["detail"], "rules.json: No such file or directory, "
              "expected a readable file")
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")
        f.write("rules.json", good["rules.json"])
        equal(f.reload()["event"], "reloaded")


@case
def goes_on_with_a_delivery_over_a_reload(program):
    with Forwarder(program) as f, Hop(f, end=slowly()) as hop:
        f.start()
        with f.client() as c:
            answered(c)
            until(lambda: hop.heard("DATA"))
            f.write("rules.json", '{"version":1}')
            equal(f.reload()["event"], "reloaded")
            equal(f.reload()["event"], "reloaded")
            equal(c.reply(), "250 2.0.0 taken late")
            # The next one goes by the new rules.
            begins(c.send(message=MESSAGE.replace(b"<1@", b"<2@")),
                   "550 5.7.1")


@case
def changes_from_records_to_libunbound_and_back(program):
    with Forwarder(program) as f:
        f.start(drain_s=0)
        f.configure(dns=None, resolver="127.0.0.1@9")
        equal(f.reload()["event"], "reloaded")
        with f.client() as asking:
            begins(asking.envelope(), "250")
            begins(asking.say("DATA"), "354")
            asking.write(MESSAGE + b".\r\n")
            time.sleep(0.1)
            # Nobody answers at port 9, and there it is left asking.
            f.configure(dns="zone.txt", resolver=None)
            equal(f.reload()["event"], "reloaded")
            with f.client() as c:
                begins(c.send(to="void@zone.example"), "250 ")
            equal(f.stop(), 0)
            equal(asking.reply(), "421 4.3.2 going down, come again later")
        equal([e["code"] for e in f.events("message")], [250, 421])


@case
def opens_its_log_anew(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            c.send(to="void@zone.example")
        (f.path / "log.json").rename(f.path / "log.1")
        f.reload()
        with f.client() as c:
            c.send(to="void@zone.example")
        equal([e["event"] for e in f.log()], ["reloaded", "message"])


# ---- Limits ---------------------------------------------------------------

@case
def says_421_past_max_sessions(program):
    with Forwarder(program) as f:
        f.start(max_sessions=2)
        first, second = f.client(), f.client()
        with f.client(greet=False) as third:
            equal(third.reply(), "421 mx.zone.example too many connections, "
                  "come again later")
            assert third.is_closed()
        begins(first.say("QUIT"), "221")
        assert first.is_closed()
        with f.client():
            pass
        second.close()


@case
def ends_silent_sessions(program):
    with Forwarder(program) as f:
        f.start(command_timeout_s=1)
        with f.client() as c:
            begins(c.reply(), "421 4.4.2 ")
            assert c.is_closed()


@case
def keeps_messages_within_its_memory(program):
    with Forwarder(program) as f, Hop(f, end=slowly()) as hop:
        f.start(message_memory_bytes=1048576)
        large = MESSAGE + b"x" * 70 + b"\r\n"
        large += (b"y" * 70 + b"\r\n") * 10000
        with f.client() as one, f.client() as two:
            answered_large = MESSAGE + (b"z" * 70 + b"\r\n") * 10000
            begins(one.envelope(), "250")
            begins(one.say("DATA"), "354")
            one.write(answered_large + b".\r\n")
            assert until(lambda: hop.heard("DATA"))
            begins(two.send(message=large), "451 4.3.0")
            equal(one.reply(), "250 2.0.0 taken late")
            # And there is room again.
            equal(two.send(message=large), "250 2.0.0 taken late")


@case
def takes_many_descriptors_as_they_come(program):
    """More connections than there are descriptors: it goes on."""
    with Forwarder(program) as f:
        f.start()
        resource.prlimit(f.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        held = [Client(f.addresses[0], greet=False) for _ in range(60)]
        time.sleep(0.3)
        used = cpu_seconds(f.process.pid)
        time.sleep(1)
        assert cpu_seconds(f.process.pid) - used < 0.3, "it spins"
        for c in held:
            c.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                with f.client(timeout=3) as c:
                    begins(c.send(to="void@zone.example"), "250 2.0.0")
                break
            except (AssertionError, TimeoutError):
                assert time.monotonic() < deadline, "it never took us"


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


case.main()
