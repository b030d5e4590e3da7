"""The mail servers and the policy host of the local internet. They remember
what they were told, in the clear and under TLS: the evidence of all verdicts."""
import re
import select
import socket
import ssl
import threading
import time

import net
from tools import Sink

SECONDS = 90


class Talk:
    """One connection as the server saw it."""

    def __init__(self, host, family, attack):
        self.host, self.family, self.attack = host, family, attack
        self.sni = None
        self.is_tls = False
        self.said = []  # (is_tls, command)
        self.mails = []  # (is_tls, MAIL command, [recipients], message or None)

    def clear_mails(self):
        return [m for m in self.mails if not m[0]]


class _End(Exception):
    pass


class _Session:
    """One client of a host."""

    def __init__(self, farm, host, stream, talk):
        self.farm, self.host, self.stream, self.talk = farm, host, stream, talk
        self.offers = set(host.offers) if talk.attack is None else \
            talk.attack.offers(host)
        self.buffer = b""

    def line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 100000:
                raise _End
            more = self.stream.recv(65536)
            if not more:
                raise _End
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def say(self, *lines):
        for i, line in enumerate(lines):
            mark = " " if i == len(lines) - 1 else "-"
            lines_out = line[:3] + mark + line[4:] + "\r\n"
            self.stream.sendall(lines_out.encode())

    def run(self):
        if "greet-421" in self.offers:
            self.say("421 4.3.2 not now")
            raise _End
        if "greet-554" in self.offers:
            self.say("554 5.3.2 never")
            raise _End
        self.say(f"220 {self.host.name} ESMTP")
        while True:
            line = self.line()
            self.talk.said.append((self.talk.is_tls, line))
            verb = line.split(" ")[0].upper()
            run = getattr(self, "do_" + verb.lower(), None)
            if run is None:
                self.say("502 5.5.1 no such command")
            else:
                run(line)

    def do_ehlo(self, _):
        lines = [f"250 {self.host.name}", "250 8BITMIME", "250 SMTPUTF8",
                 "250 ENHANCEDSTATUSCODES"]
        if "tls" in self.offers and not self.talk.is_tls:
            lines.append("250 STARTTLS")
        if "requiretls" in self.offers and self.talk.is_tls:
            lines.append("250 REQUIRETLS")
        self.say(*lines)

    def do_starttls(self, _):
        if "454" in self.offers:
            self.say("454 4.7.0 TLS is not there now")
        elif "502" in self.offers or "tls" not in self.offers:
            self.say("502 5.5.1 no such command")
        elif "close" in self.offers:
            self.say("220 2.0.0 go")
            raise _End
        elif "garbage" in self.offers:
            self.say("220 2.0.0 go")
            self.stream.recv(1)
            self.stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise _End
        else:
            after = b"250 2.0.0 injected\r\n" if "inject" in self.offers \
                else b""
            self.stream.sendall(b"220 2.0.0 go\r\n" + after)
            self._handshake()

    def _handshake(self):
        self.buffer = b""
        context = self.farm.context(self.host, self.talk)
        self.stream = context.wrap_socket(self.stream, server_side=True)
        self.talk.is_tls = True
        self.talk.sni = getattr(self.stream, "heard", None)

    def do_mail(self, line):
        self.talk.mails.append([self.talk.is_tls, line, [], None])
        self.say("250 2.1.0 all right")

    def do_rcpt(self, line):
        if not self.talk.mails:
            self.say("503 5.5.1 no MAIL")
            return
        got = re.search("<([^>]*)>", line)
        self.talk.mails[-1][2].append(got[1] if got else line)
        if "rcpt-450" in self.offers:
            self.say("450 4.2.1 not now")
        elif "rcpt-550" in self.offers:
            self.say("550 5.1.1 nobody of that name")
        else:
            self.say("250 2.1.5 all right")

    def do_data(self, _):
        self.say("354 go on")
        data = []
        while True:
            line = self.line()
            if line == ".":
                break
            data.append(line)
        self.talk.mails[-1][3] = "\n".join(data)
        self.say("250 2.0.0 taken")

    def do_rset(self, _):
        self.say("250 2.0.0 all right")

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        raise _End


def context_of(cert, key, is_old=False):
    """is_old: TLS 1.0 and nothing newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if is_old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(cert, key)

    def heard(stream, name, _):
        stream.heard = name
    context.sni_callback = heard
    return context


class _Listeners:
    """Threads that accept on many addresses."""

    def __init__(self):
        self.sockets = []

    def listen(self, address, port, run):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = socket.create_server((address, port), family=family, backlog=64)
        self.sockets.append((s, run))

    def start(self):
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        runs = {s: run for s, run in self.sockets}
        while True:
            for s in select.select(list(runs), [], [])[0]:
                try:
                    client, _ = s.accept()
                except OSError:
                    continue
                client.settimeout(SECONDS)
                threading.Thread(target=runs[s], args=(client,),
                                 daemon=True).start()


class Farm:
    """All mail servers. attack, when it is set, decides for all of them what
    they do: offers(host) words, certificate(host, talk)."""

    def __init__(self, hosts, certificates, sink, folder):
        self.attack = None
        self.sinks = []
        self.talks = []
        self.contexts = {}
        self.listeners = _Listeners()
        for host in hosts.values():
            if not host.listens:
                continue
            if host.issuer != "none":
                cert, key = certificates.of_host(host)
                self.contexts[host.key] = context_of(cert, key,
                                                     "tls10" in host.offers)
            if "sink" in host.offers:
                self.sinks.append((host, Sink(
                    sink, f"{folder}/{host.key}", "--listen", host.ip + ":25",
                    "--name", host.name, "--tls", "offer", "--certificate",
                    cert, "--key", key, *(
                        [] if "requiretls" in host.offers else
                        ["--without", "REQUIRETLS"]))))
                continue
            for ip in [host.ip] + ([host.ip6] if "ipv6" in host.offers else []):
                self.listeners.listen(ip, 25, self._runner(host, ip))

    def start(self):
        for _, sink in self.sinks:
            sink.start()
        self.listeners.start()

    def stop(self):
        """What is wrong with how the sinks ended."""
        return [f"{host.name} ended with {status}: {sink.process.tail()}"
                for host, sink in self.sinks
                if sink.process and (status := sink.process.stop()) != 0]

    def context(self, host, talk):
        own = self.contexts.get(host.key)
        return own if talk.attack is None else talk.attack.context(host, own)

    def _runner(self, host, ip):
        def run(client):
            talk = Talk(host, "ipv6" if ":" in ip else "ipv4", self.attack)
            self.talks.append(talk)
            session = _Session(self, host, client, talk)
            try:
                session.run()
            except (_End, OSError, ValueError):
                pass
            finally:
                try:
                    session.stream.close()
                except OSError:
                    pass
        return run

    def transactions(self, rcpt, since=0):
        """(talk, mail) of all that named that recipient; of the sinks only
        what they took."""
        return [(talk, mail) for talk in self.talks[since:]
                for mail in talk.mails if rcpt in mail[2]] + [
                    (Talk(host, "ipv4", None), mail)
                    for host, sink in self.sinks for mail in _kept(sink)
                    if rcpt in mail[2]]


def _kept(sink):
    """What a sink has, as a session would show it."""
    for e in sink.envelopes():
        yield [e["tls"] is not None, f"MAIL FROM:<{e['mail']['from']}>" +
               (" REQUIRETLS" if e["mail"]["requiretls"] else ""),
               [r["to"] for r in e["rcpt"]], sink.message(e).decode()]


class PolicyHost:
    """Serves the policies of all scenarios, each with its own fault."""

    def __init__(self, scenarios, certificates):
        self.policies = {f"mta-sts.{s.domain}": s.policy
                         for s in scenarios if s.policy.mode}
        self.requests = []
        self.taken = None  # (context, body) of an attacker
        self.contexts = {}
        self.certificates = certificates
        self.good = context_of(*certificates.make("policies", "ca", [
            name for name, policy in self.policies.items()
            if not policy.has_bad_certificate()]))
        for name, policy in self.policies.items():
            if policy.has_bad_certificate():
                self.contexts[name] = self._bad(name, policy)
        self.default = context_of(*certificates.make(
            "policy-host", "ca", ["policy-host.sec.example"]))
        self.default.sni_callback = self._choose
        self.listeners = _Listeners()
        for address in (net.POLICY, net.PRIVATE):
            self.listeners.listen(address, 443, self._runner(address))

    def _bad(self, name, policy):
        names = ["other.example"] if policy.has("cert-other") else [name]
        words = ["expired"] if policy.has("cert-expired") else []
        return context_of(*self.certificates.make(
            name, "self" if policy.has("cert-self") else "ca", names, words))

    def start(self):
        self.listeners.start()

    def take_over(self, identity, body):
        """From now on an attacker answers for all names."""
        self.taken = context_of(*identity), body

    def give_back(self):
        self.taken = None

    def _choose(self, stream, name, _):
        if self.taken:
            stream.context = self.taken[0]
        elif name in self.policies:
            stream.context = self.contexts.get(name, self.good)

    def _runner(self, address):
        def run(client):
            try:
                with client:
                    self._serve(client, address)
            except OSError:
                pass
        return run

    def _serve(self, client, address):
        try:
            stream = self.default.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            self.requests.append((address, None, None))
            return
        with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                more = stream.recv(4096)
                if not more:
                    return
                head += more
            host = re.search(rb"(?i)\r\nHost: *([^\r:]+)", head)
            name = host[1].decode().strip() if host else ""
            path = head.split(b" ")[1].decode()
            self.requests.append((address, name, path))
            self._reply(stream, name, path)
            try:
                stream.unwrap()
            except (OSError, ValueError):
                pass  # it was cut, as some are meant to be

    def _reply(self, stream, name, path):
        policy = self.policies.get(name)
        if policy is None or path != "/.well-known/mta-sts.txt":
            stream.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
                           b"Connection: close\r\n\r\n")
            return
        status, kind, more = "200 OK", "text/plain", ""
        body = (self.taken[1] if self.taken else policy.body()).encode()
        length = len(body)
        if policy.has("http-404"):
            status = "404 Not Found"
        elif policy.has("http-500"):
            status = "500 Internal Server Error"
        elif policy.has("http-redirect"):
            status = "301 Moved Permanently"
            more = "Location: https://mta-sts.sts.sec.example" \
                "/.well-known/mta-sts.txt\r\n"
        elif policy.has("http-large"):
            body += b"x: " + b"y" * 70000 + b"\r\n"
            length = len(body)
        elif policy.has("http-html"):
            kind = "text/html"
        elif policy.has("http-gzip"):
            more = "Content-Encoding: gzip\r\n"
        elif policy.has("http-cut"):
            length += 100
        stream.sendall(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}"
            f"Content-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        if policy.has("http-slow"):
            # Never still for long, and never whole in a minute.
            for octet in body:
                time.sleep(2)
                stream.sendall(bytes([octet]))
            return
        stream.sendall(body)
        if policy.has("http-cut"):
            stream.shutdown(socket.SHUT_RDWR)


