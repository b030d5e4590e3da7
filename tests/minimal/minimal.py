#!/usr/bin/env python3
"""minimal.py MINIMAL: drive examples/minimal with smtplib, a sink behind it."""
import json
import smtplib
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

RULES = {
    "version": 1,
    "zones": [{"name": "example.com", "rules": [
        {"matchers": [{"type": "literal", "field": "to",
                       "value": f"{name}@example.com"}],
         "actions": [{"type": "forward", "value": [f"{name}@sink.example"]}]}
        for name in ("alice", "later", "never")]}],
    "addresses": [{"email": f"{name}@sink.example", "verified": True}
                  for name in ("alice", "later", "never")]}
DNS = """\
sender.example TXT "v=spf1 ip4:127.0.0.1 -all"
forged.example TXT "v=spf1 -all"
forged.example MX 1 mx.forged.example
"""
REPLIES = {"alice": "250 2.0.0 kept as 4711", "later": "452 4.2.2 mailbox full",
           "never": "554 5.7.1 not in this house"}


class Sink(socketserver.StreamRequestHandler):
    """A next hop: takes alice's mail, and refuses the others at the dot."""

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.example")
        for line in iter(self.rfile.readline, b""):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250-sink.example\r\n250-ENHANCEDSTATUSCODES\r\n"
                         "250 8BITMIME")
            elif verb == b"RCPT":
                self.to = line.split(b"<")[1].split(b">")[0].decode()
                self.say("250 2.1.5 OK")
            elif verb == b"DATA":
                self.say("354 go")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.say(REPLIES[self.to.split("@")[0]])
                self.server.taken.append((self.to, text))
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 OK")


def message(to, sender="bob@sender.example"):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: hello\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            "Message-ID: <1@sender.example>\r\n\r\n.dots\r\nand more\r\n")


def send(port, to, sender="bob@sender.example"):
    """The final reply, as (code, text)."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="mail.sender.example",
                      timeout=30) as smtp:
        smtp.ehlo()
        try:
            smtp.mail(sender)
            code, text = smtp.rcpt(to)
            if code == 250:
                code, text = smtp.data(message(to, sender))
        except smtplib.SMTPResponseException as e:
            code, text = e.smtp_code, e.smtp_error
        return code, text.decode()


def start(program, folder, port):
    process = subprocess.Popen(
        [program, folder / "rules.json", folder / "dns", str(port)],
        stdout=subprocess.PIPE, text=True)
    ready = process.stdout.readline().split()
    assert ready[:1] == ["ready"], ready
    return process, int(ready[1].rsplit(":", 1)[1])


def check(what, got, code, part):
    assert got[0] == code and part in got[1], f"{what}: {got}"
    print(f"ok  {what}: {got[0]} {got[1]}")


def main():
    program = sys.argv[1]
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 2 and "usage:" in done.stderr, done
    with tempfile.TemporaryDirectory() as name, \
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink) as sink:
        folder = Path(name)
        sink.taken = []
        sink.daemon_threads = True
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        (folder / "rules.json").write_text(json.dumps(RULES))
        (folder / "dns").write_text(DNS)
        process, port = start(program, folder, sink.server_address[1])
        try:
            check("delivered", send(port, "alice@example.com"), 250, "4711")
            to, text = sink.taken[0]
            assert to == "alice@sink.example", to
            assert text.endswith(b"\r\n\r\n..dots\r\nand more\r\n"), text
            top = text.decode().split("Subject:")[0]
            for part in ("Authentication-Results: mx.example.net;",
                         "spf=pass", "Delivered-To:", "Received:"):
                assert part in top, (part, top)
            check("refused for now", send(port, "later@example.com"), 452,
                  "mailbox full")
            check("refused for good", send(port, "never@example.com"), 554,
                  "not in this house")
            check("no such address", send(port, "nobody@example.com"), 550,
                  "5.1.1")
            check("not ours", send(port, "a@example.org"), 550, "5.7.1")
            check("not authenticated",
                  send(port, "alice@example.com", "bob@forged.example"), 550,
                  "5.7.26")
            assert len(sink.taken) == 3, sink.taken
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


main()
