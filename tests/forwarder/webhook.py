#!/usr/bin/env python3
"""webhook.py PROGRAM [CASE...]: messages that are posted to a program behind
HTTP: what it gets, how it can be sure of it, and what its answer is to the
sender (M54)."""
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from forwarder import (RULES, Cases, Forwarder, MESSAGE, begins, equal,
                       make_certificate, until)

case = Cases()


class Desk:
    """A receiver. says: status, or a function of the handler."""

    def __init__(self, says=200, certificate=None):
        desk = self
        self.says, self.posts = says, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                desk.posts.append((self.path, self.headers, body))
                if callable(desk.says):
                    desk.says(self)
                    return
                self.send_response(desk.says)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
            self.server.socket = context.wrap_socket(self.server.socket,
                                                     server_side=True)
            scheme = "https"
        self.url = (f"{scheme}://localhost:{self.server.server_port}"
                    "/incoming?a=b")
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def start(program, desk, **settings):
    f = Forwarder(program)
    rules = json.loads(json.dumps(RULES))
    for to, name in (("hook@zone.example", "tickets"),
                     ("other@zone.example", "nowhere")):
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to", "value": to}],
             "actions": [{"type": "webhook", "value": [name]}]})
    f.write("rules.json", json.dumps(rules))
    f.write("hook.txt", "a secret\n")
    return f.start(**{"webhook": f"tickets {desk.url}",
                      "webhook_secret": "hook.txt", **settings})


def mac(secret, headers, body):
    signed = (headers["webhook-id"] + "." + headers["webhook-timestamp"]
              + ".").encode() + body
    return "v1," + base64.b64encode(
        hmac.new(secret, signed, hashlib.sha256).digest()).decode()


LARGE = (b"From: =?utf-8?q?Ann_B=C3=A4r?= <ann@sender.example>\r\n"
         b"To: hook@zone.example\r\nSubject: =?iso-8859-1?q?gr=FC=DFe?=\r\n"
         b"Message-ID: <7@sender.example>\r\n"
         b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
         b"--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
         b"Content-Transfer-Encoding: 8bit\r\n\r\nf\xfcr dich\r\n"
         b"--x\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n"
         b"--x\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
         b"Content-Disposition: attachment\r\n"
         b"Content-Transfer-Encoding: base64\r\n\r\n"
         + base64.encodebytes(bytes(range(256)) * 4000).replace(b"\n", b"\r\n")
         + b"--x--\r\n")


@case
def its_body_counts_in_the_memory_for_messages(program):
    """Held three times for a while: as it came, as copied, as JSON."""
    with Desk() as desk, start(program, desk,
                               message_memory_bytes=1048576) as f:
        message = MESSAGE + (b"x" * 70 + b"\r\n") * 5000
        with f.client() as c:
            begins(c.send(to="hook@zone.example", message=message),
                   "451 4.3.0")
            equal(f.events("webhook-failed")[0]["detail"],
                  "no room for its body in message_memory_bytes")
            equal(desk.posts, [])
            # What has its room gives it back.
            for number in range(8):
                begins(c.send(to="hook@zone.example", message=MESSAGE.replace(
                    b"<1@", b"<%d@" % number) + (b"y" * 70 + b"\r\n") * 1500),
                       "250 2.0.0")
        equal(len(desk.posts), 8)


# ---- What it gets ---------------------------------------------------------

@case
def gets_the_message_and_what_is_known_of_it(program):
    with Desk() as desk, start(program, desk) as f:
        with f.client() as c:
            begins(c.send(to="hook@zone.example", message=LARGE), "250 2.0.0")
        ((path, headers, body),) = desk.posts
        equal((path, headers["Content-Type"]),
              ("/incoming?a=b", "application/json"))
        # The signature, by other code than ours.
        equal(headers["webhook-signature"], mac(b"a secret", headers, body))
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 10
        got = json.loads(body)
        equal((got["version"], got["id"], got["hook"]),
              (1, headers["webhook-id"], "tickets"))
        equal(got["envelope"], {"from": "ann@sender.example",
                                "to": "hook@zone.example"})
        equal(got["client"], {"ip": "127.0.0.1",
                              "helo": "client.sender.example"})
        equal(got["verdict"], {"spf": "pass", "dkim": [], "arc": "none",
                               "dmarc": "pass",
                               "authorDomain": "sender.example",
                               "authenticated": True})
        # The parts, as other code reads them.
        raw = base64.b64decode(got["raw"])
        equal((raw, got["rawSize"]), (LARGE, len(LARGE)))
        other = email.message_from_bytes(raw, policy=email.policy.default)
        text, html, attached = list(other.iter_parts())
        equal(got["text"].rstrip(), text.get_content().rstrip())
        equal(got["html"].rstrip(), html.get_content().rstrip())
        (one,) = got["attachments"]
        equal(base64.b64decode(one["content"]), attached.get_content())
        equal((one["filename"], one["type"], one["size"]),
              ("a.bin", "application/octet-stream", 1024000))
        equal((got["subject"], got["messageId"]),
              (other["Subject"], "<7@sender.example>"))
        equal(got["from"], [{"name": "Ann B\u00e4r",
                             "address": "ann@sender.example"}])
        equal([h["name"] for h in got["headers"]], list(other.keys()))
        (line,) = f.events("message")
        equal((line["status"], line["action"], line["code"]),
              ("Handled", "webhook", 250))


@case
def signs_with_all_secrets(program):
    with Desk() as desk, start(program, desk) as f:
        f.write("hook.txt", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
                "old secret\n")
        equal(f.reload()["event"], "reloaded")
        with f.client() as c:
            begins(c.send(to="hook@zone.example"), "250 2.0.0")
        ((_, headers, body),) = desk.posts
        key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        equal(headers["webhook-signature"].split(),
              [mac(key, headers, body), mac(b"old secret", headers, body)])
        f.configure(webhook_secret=None)
        equal(f.reload()["event"], "reloaded")
        with f.client() as c:
            begins(c.send(to="hook@zone.example"), "250 2.0.0")
        assert "webhook-signature" not in desk.posts[1][1]


@case
def a_message_that_comes_again_has_the_same_id(program):
    with Desk(500) as desk, start(program, desk) as f:
        for _ in range(2):
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "451 ")
        desk.says = 200
        with f.client() as c:
            begins(c.send(to="hook@zone.example"), "250 ")
            begins(c.send(to="hook@zone.example", sender="bob@sender.example"),
                   "250 ")
        ids = [headers["webhook-id"] for _, headers, _ in desk.posts]
        equal((len(ids), len(set(ids[:3])), len(set(ids))), (4, 1, 2))


@case
def speaks_https_with_who_is_trusted(program):
    with Forwarder(program) as folder:
        make_certificate(folder.path, "good", "localhost")
        make_certificate(folder.path, "bad", "localhost")
        good, bad = folder.path / "good", folder.path / "bad"
        with Desk(certificate=good) as desk, \
                start(program, desk, webhook_trust=f"{good}.crt") as f:
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "250 2.0.0")
            f.configure(webhook_trust=f"{bad}.crt")
            f.reload()
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "451 4.3.0")
            equal(len(desk.posts), 1)
            assert "certificate" in f.events("webhook-failed")[0]["detail"]


# ---- What it answers ------------------------------------------------------

@case
def anything_but_2xx_is_told_to_the_sender(program):
    with Desk() as desk, start(program, desk) as f:
        for status in (201, 204, 299):
            desk.says = status
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "250 2.0.0")
        for status in (302, 400, 404, 500, 503):
            desk.says = status
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "451 4.3.0")
            equal(f.events("webhook-failed")[-1]["detail"],
                  f"the webhook answers {status}")
            equal(f.events("message")[-1]["status"], "Error")


def silent(handler):
    time.sleep(3)


def garbage(handler):
    handler.wfile.write(b"\0\1\2 no HTTP\r\n\r\n")


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")


@case
def whatever_a_hook_does_the_sender_comes_again(program):
    with Desk() as desk, start(program, desk, webhook_timeout_s=1) as f:
        for says in (silent, garbage, endless, cut):
            desk.says = says
            begin = time.monotonic()
            with f.client() as c:
                begins(c.send(to="hook@zone.example"), "451 4.3.0")
            assert time.monotonic() - begin < 2.5, says
        desk.says = 200
        with f.client() as c:
            begins(c.send(to="hook@zone.example"), "250 2.0.0")


@case
def a_hook_that_is_not_there(program):
    with Desk() as desk:
        url = desk.url
    with start(program, desk, webhook=f"tickets {url}") as f:
        with f.client() as c:
            begins(c.send(to="hook@zone.example"), "451 4.3.0")
        with f.client() as c:
            begins(c.send(to="other@zone.example"), "451 4.3.5")


@case
def others_do_not_wait_for_a_slow_hook(program):
    with Desk(silent) as desk, start(program, desk, webhook_timeout_s=2) as f:
        with f.client() as slow, f.client() as c:
            begins(slow.envelope(to="hook@zone.example"), "250")
            begins(slow.say("DATA"), "354")
            slow.write(MESSAGE + b".\r\n")
            assert until(lambda: desk.posts)
            begin = time.monotonic()
            begins(c.send(to="void@zone.example"), "250 2.0.0")
            assert time.monotonic() - begin < 0.5
            begins(slow.reply(), "451 4.3.0")


@case
def a_client_that_goes_leaves_nothing(program):
    with Desk(silent) as desk, start(program, desk) as f:
        with f.client() as gone:
            gone.envelope(to="hook@zone.example")
            gone.say("DATA")
            gone.write(MESSAGE + b".\r\n")
            assert until(lambda: desk.posts)
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")


@case
def ends_while_a_hook_is_asked(program):
    with Desk(silent) as desk, start(program, desk, drain_s=0) as f:
        with f.client() as c:
            c.envelope(to="hook@zone.example")
            c.say("DATA")
            c.write(MESSAGE + b".\r\n")
            assert until(lambda: desk.posts)
            equal(f.stop(), 0)
            begins(c.reply(), "421 4.3.2")


case.main()
