"""The forwarder of the local internet, and messages brought to it."""
import json
import os
import signal
import smtplib
import ssl
import threading
import time

from forwarder import Forwarder
from world import Failed

ZONE = "fwd.example"
NAME = "mx.fwd.example"


def address_of(scenario):
    """What is forwarded to the scenario's recipient."""
    return scenario.key.replace(".", "-") + "@" + ZONE


def rules(scenarios):
    return {"version": 1, "zones": [{"name": ZONE, "rules": [
        {"name": s.key,
         "matchers": [{"type": "literal", "field": "to",
                       "value": address_of(s)}],
         "actions": [{"type": "forward", "value": [s.rcpt]}]}
        for s in scenarios]}],
        "addresses": [{"email": s.rcpt, "verified": True} for s in scenarios]}


class Restarted(Forwarder):
    """A forwarder that may be started again, with what it kept."""

    def again(self, kill=False):
        if kill:
            self.process.signal(signal.SIGKILL)
            self.process.stop()
        elif self.stop() != 0:
            raise Failed("the forwarder ended badly: " + self.said())
        os.truncate(self.out, 0)
        return self.start()


def start(args, folder, scenarios, certificates, anchor, resolver, **more):
    """A forwarder with the defaults of a new user, but for the anchors."""
    cert, key = certificates.make("forwarder-" + os.path.basename(folder),
                                  "ca", [NAME])
    log = os.path.join(folder, "log.json")
    settings = dict(listen="127.0.0.1:0", hostname=NAME, resolver=resolver,
                    resolver_anchor=anchor, out_trust=certificates.anchor,
                    tls_certificate=cert, tls_key=key, log=log,
                    delivery_timeout_s=80, **more)
    f = Restarted(args.forwarder, folder, rules(scenarios), None, **settings)
    f.log = log
    return f.start()


def deliveries(forwarder):
    """The logged deliveries by recipient, newest last."""
    found = {}
    try:
        with open(forwarder.log, encoding="utf-8") as f:
            for line in f:
                for d in json.loads(line).get("deliveries", []):
                    found.setdefault(d["to"], []).append(d)
    except FileNotFoundError:
        pass
    return found


class Answer:
    """What a client heard: code and text of the first refusal, or of the
    last reply."""

    def __init__(self, code, text, seconds=0.0):
        self.code, self.text, self.seconds = code, text, seconds
        words = text.split(" ")
        self.enhanced = words[0] if words[0].count(".") == 2 else None

    def __str__(self):
        return f"{self.code} {self.text}"


def send(port, scenario, mark):
    """Bring a message to the forwarder as its scenario asks."""
    began = time.monotonic()
    head = "TLS-Required: No\r\n" if scenario.asks == "tls-no" else ""
    message = (f"From: ann@sender.sec.example\r\nTo: {address_of(scenario)}\r\n"
               f"Subject: {mark}\r\nDate: Mon, 09 Nov 2026 10:00:00 +0000\r\n"
               f"Message-ID: <{mark}.{scenario.label}@sender.sec.example>\r\n"
               f"{head}\r\nhello\r\n")

    def passed(code, text):
        text = text.decode("utf-8", "replace").replace("\n", " ")
        return Answer(code, text, time.monotonic() - began)

    with smtplib.SMTP("127.0.0.1", port, local_hostname="sender.sec.example",
                      timeout=150) as s:
        s.ehlo()
        more = ""
        if scenario.asks == "requiretls":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            s.starttls(context=context)
            s.ehlo()
            if not s.has_extn("requiretls"):
                return Answer(0, "no REQUIRETLS is offered")
            more = " REQUIRETLS"
        for command in (f"MAIL FROM:<ann@sender.sec.example>{more}",
                        f"RCPT TO:<{address_of(scenario)}>"):
            code, text = s.docmd(command)
            if code >= 400:
                return passed(code, text)
        return passed(*s.data(message.encode()))


def send_all(port, scenarios, mark, at_once=48):
    """{key: Answer or exception} of all of them."""
    answers, todo, lock = {}, list(reversed(scenarios)), threading.Lock()

    def work():
        while True:
            with lock:
                if not todo:
                    return
                s = todo.pop()
            try:
                answers[s.key] = send(port, s, mark)
            except (OSError, smtplib.SMTPException) as e:
                answers[s.key] = Answer(-1, f"{type(e).__name__}: {e}")

    workers = [threading.Thread(target=work) for _ in range(at_once)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return answers
