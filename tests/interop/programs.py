#!/usr/bin/env python3
"""programs.py --sink SINK --send SEND: the two programs against each other,
with every option, and with options that are wrong."""
import argparse
import os
import subprocess
import sys

from tools import ENV, Sink, send
from world import Authority, Failed, Folder

TEXT = (b"From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\n\r\n"
        b"one\r\n.two\r\n..\r\n.\r\nend\r\n")
BINARY = (b"From: a@example.com\r\nContent-Transfer-Encoding: binary\r\n\r\n"
          + bytes(range(256)) + b"\n.\r\nno line at the end")
UTF8 = "From: bärbel@example.com\r\n\r\nGrüße\r\n".encode()


class Pair:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        ca = Authority(folder)
        self.anchor = ca.anchor
        cert, key = ca.certify("sink.example")
        self.identity = ["--certificate", cert, "--key", key]
        self.count = 0
        self.secrets = {}
        for name, text in (("password", "sécret\n"), ("wrong", "no\n"),
                           ("token", "to.ken\n")):
            self.secrets[name] = os.path.join(folder, name)
            with open(self.secrets[name], "w") as f:
                f.write(text)

    def sink(self, *options):
        self.count += 1
        return Sink(self.args.sink, f"{self.folder}/{self.count}", *options)

    def send(self, sink, *options, message=TEXT, to=("b@example.org",), **more):
        recipients = [x for t in to for x in ("--to", t)]
        return send(self.args.send, message, "--from", "a@example.com",
                    *recipients, *options, f"127.0.0.1:{sink.port}", **more)

    def through(self, sink, *options, message=TEXT, **more):
        """Sent, taken over and the same; (envelope, facts of the sender)."""
        sent = self.send(sink, *options, message=message, **more)
        if sent.status != 0:
            raise Failed(f"send {options}: {sent.status} {sent.text}"
                         f"{sent.said}")
        envelope, got = sink.next()
        if got != message:
            raise Failed(f"send {options}: {got!r}")
        return envelope, sent.facts


def equal(what, got, want):
    if got != want:
        raise Failed(f"{what}: {got!r}, expected {want!r}")


def test_plain(p):
    with p.sink() as sink:
        envelope, facts = p.through(sink, "--tls", "none", "--raw")
        equal("tls", envelope["tls"], None)
        equal("mail", envelope["mail"],
              {"from": "a@example.com", "size": len(TEXT), "body": None,
               "smtputf8": False, "requiretls": False, "ret": None,
               "envid": None, "auth": None, "deliverby": False})
        equal("rcpt", envelope["rcpt"],
              [{"to": "b@example.org", "notify": [], "orcpt": None}])
        equal("reply", facts["rcpt"][0]["code"], 250)
        for option in ("--bdat", "--in-step"):
            p.through(sink, "--tls", "may", "--raw", option)
        # Line ends of the system become those of mail.
        sent = p.send(sink, "--tls", "none",
                      message=TEXT.replace(b"\r\n", b"\n"))
        equal("status", sent.status, 0)
        equal("message", sink.next()[1], TEXT)
        # Nothing in it at all.
        p.through(sink, "--tls", "none", message=b"")


def test_extensions(p):
    with p.sink() as sink:
        envelope, _ = p.through(sink, "--tls", "none", "--body", "binarymime",
                                message=BINARY)
        equal("body", envelope["mail"]["body"], "BINARYMIME")
        envelope, _ = p.through(sink, "--tls", "none", "--smtputf8", "--raw",
                                "--body", "8bitmime", message=UTF8,
                                to=("jürgen@bücher.example",))
        equal("smtputf8", envelope["mail"]["smtputf8"], True)
        equal("body", envelope["mail"]["body"], "8BITMIME")
        equal("to", envelope["rcpt"][0]["to"], "jürgen@bücher.example")
        envelope, _ = p.through(
            sink, "--tls", "none", "--raw", "--notify", "success", "--notify",
            "delay", "--orcpt", "rfc822;b+1=@example.org", "--ret", "hdrs",
            "--envid", "id+1=2", to=("b@example.org", "c@example.org"))
        equal("ret", envelope["mail"]["ret"], "HDRS")
        equal("envid", envelope["mail"]["envid"], "id+1=2")
        equal("rcpt", envelope["rcpt"],
              [{"to": "b@example.org", "notify": ["SUCCESS", "DELAY"],
                "orcpt": "rfc822;b+1=@example.org"},
               {"to": "c@example.org", "notify": ["SUCCESS", "DELAY"],
                "orcpt": None}])
    with p.sink("--without", "dsn", "--without", "SMTPUTF8",
                "--without", "CHUNKING", "--without", "BINARYMIME") as sink:
        _, facts = p.through(sink, "--tls", "none", "--raw", "--notify",
                             "never", "--bdat")
        equal("left out", facts["rcpt"][0]["dsn_left_out"], True)
        for option, message, cause in (
                (("--smtputf8", "--raw"), UTF8, "no-smtputf8"),
                (("--body", "binarymime"), BINARY, "no-binarymime")):
            sent = p.send(sink, "--tls", "none", *option, message=message)
            equal(option, (sent.status, sent.facts["rcpt"][0]["cause"]),
                  (1, cause))
        equal("kept", len(sink.envelopes()), 1)


def test_tls(p):
    verified = ["--trust", p.anchor, "--tls-name", "sink.example"]
    with p.sink("--tls", "require", *p.identity) as sink:
        envelope, facts = p.through(sink, "--raw", *verified)
        equal("tls", (envelope["tls"], facts["tls"], facts["verified"]),
              ("TLS1.3", "TLS1.3", True))
        envelope, _ = p.through(sink, "--raw", "--require-tls", *verified)
        equal("requiretls", envelope["mail"]["requiretls"], True)
        p.through(sink, "--raw", "--tls", "must")
        sent = p.send(sink, "--trust", p.anchor, "--tls-name", "no.example")
        equal("name", (sent.status, sent.facts["rcpt"][0]["cause"],
                       sent.facts["rcpt"][0]["tls_failure"]),
              (1, "tls", "name-mismatch"))
        equal("none", p.send(sink, "--tls", "none").status, 1)
    with p.sink("--tls", "implicit", *p.identity) as sink:
        envelope, facts = p.through(sink, "--raw", "--implicit-tls", *verified)
        equal("tls", envelope["tls"], "TLS1.3")
        equal("STARTTLS", "STARTTLS" in facts["offered"], False)
    with p.sink() as sink:
        sent = p.send(sink, *verified)
        equal("no TLS", (sent.status, sent.facts["rcpt"][0]["cause"]),
              (1, "no-tls"))


def test_auth(p):
    with p.sink("--mode", "submission", "--tls", "offer", *p.identity,
                "--user", "bärbel:sécret", "--token", "bob:to.ken") as sink:
        tls = ["--raw", "--tls", "must"]
        password = ["--user", "bärbel", "--password-file",
                    p.secrets["password"]]
        for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
            envelope, facts = p.through(sink, *tls, *password, "--auth", name)
            equal(name, (envelope["auth"], facts["auth"], envelope["user"]),
                  (name, name, "bärbel"))
        envelope, _ = p.through(sink, *tls, *password)
        equal("strongest", envelope["auth"], "SCRAM-SHA-256-PLUS")
        for name in ("XOAUTH2", "OAUTHBEARER"):
            envelope, _ = p.through(sink, *tls, "--user", "bob", "--token-file",
                                    p.secrets["token"], "--auth", name)
            equal(name, envelope["auth"], name)
        for name in ("PLAIN", "SCRAM-SHA-256"):
            sent = p.send(sink, *tls, "--user", "bärbel", "--password-file",
                          p.secrets["wrong"], "--auth", name)
            equal("wrong", (sent.status, sent.facts["rcpt"][0]["phase"],
                            sent.facts["rcpt"][0]["code"]), (1, "AUTH", 535))
        equal("none", p.send(sink, *tls).facts["rcpt"][0]["code"], 530)
    with p.sink("--require-auth", "--clear-auth", "--user", "u:sécret") as sink:
        envelope, _ = p.through(sink, "--tls", "none", "--raw", "--clear-auth",
                                "--user", "u", "--auth", "plain",
                                "--password-file", p.secrets["password"])
        equal("clear", envelope["auth"], "PLAIN")


def test_lmtp(p):
    with p.sink("--mode", "lmtp", "--refuse", "no@example.org") as sink:
        to = ("b@example.org", "no@example.org", "c@example.org")
        sent = p.send(sink, "--lmtp", "--tls", "none", "--raw", to=to)
        equal("status", sent.status, 1)
        equal("codes", [r["code"] for r in sent.facts["rcpt"]], [250, 550, 250])
        equal("phase", sent.facts["rcpt"][1]["phase"], "message")
        envelope, got = sink.next()
        equal("message", got, TEXT)
        equal("kept for", [r["to"] for r in envelope["rcpt"]],
              ["b@example.org", "c@example.org"])
        sent = p.send(sink, "--lmtp", "--tls", "none", to=to[:2],
                      json_too=False)
        equal("text", sent.text,
              "b@example.org: delivered, message was answered 250 2.0.0 "
              "Message accepted\n"
              "no@example.org: permanent, message was answered 550 5.1.1 "
              "there is no such mailbox here\n")
    with p.sink("--refuse", "no@example.org") as sink:
        sent = p.send(sink, "--tls", "none", "--raw", to=to)
        equal("phase", [r["phase"] for r in sent.facts["rcpt"]],
              ["message", "RCPT", "message"])


BAD_SINK = [
    ("", 2, "no --folder, expected --folder DIR"),
    ("--folder {} x", 2, '"x", expected options only'),
    ("--folder {} --mode pop", 2,
     '--mode "pop", expected smtp, lmtp or submission'),
    ("--folder {} --mode submission", 2,
     "nobody could log in, expected --user or --token"),
    ("--folder {} --tls offer", 2,
     "expected --certificate and --key with --tls, and only with it"),
    ("--folder {} --user me", 2, '"me", expected NAME:SECRET'),
    ("--folder {} --without SIZE", 2,
     '--without "SIZE", expected SMTPUTF8, CHUNKING, BINARYMIME, DSN, '
     "REQUIRETLS, DELIVERBY or LIMITS"),
    ("--folder {} --listen 2525", 2,
     '--listen "2525", expected ADDRESS:PORT'),
    ("--folder {}/none", 3, "{}/none: No such file or directory"),
    ("--folder {} --listen 192.0.2.1:25", 3,
     "192.0.2.1:25: Cannot assign requested address"),
    ("--folder {} --tls offer --certificate /none --key /none", 3,
     "/none: No such file or directory"),
    ("--folder {} --tls offer --certificate {}/text --key {}/text", 3,
     "{}/text: the input does not follow its grammar"),
]
BAD_SEND = [
    ("", 2, "expected HOST:PORT and MESSAGE"),
    ("localhost:1 {}/text", 2, "no --to, expected --to ADDRESS"),
    ("--to a@b localhost {}/text", 2, '"localhost", expected HOST:PORT'),
    ("--to a@b --tls some localhost:1 {}/text", 2,
     '--tls "some", expected none, may, must or verified'),
    ("--to a@b --tls none --implicit-tls localhost:1 {}/text", 2,
     "--tls none with TLS demanded, expected another --tls"),
    ("--to a@b --user me localhost:1 {}/text", 2,
     "expected --user and one of --password-file and --token-file, or none"),
    ("--to a@b --notify soon localhost:1 {}/text", 2,
     '--notify "soon", expected never, success, failure or delay'),
    ("--to a@b --notify never --notify delay localhost:1 {}/text", 2,
     "--notify never with another one, expected it alone"),
    ("--to a@b --user x --password-file {}/text --auth MD5 localhost:1 {}/text",
     2, '--auth "MD5", expected PLAIN, LOGIN, XOAUTH2, OAUTHBEARER, '
     "SCRAM-SHA-256 or SCRAM-SHA-256-PLUS"),
    ("--to a --tls none localhost:1 {}/text", 2,
     'recipient "a": the input does not follow its grammar, expected an '
     "address (and TYPE;ADDRESS with --orcpt)"),
    ("--to a@b.example --from x@ --tls none localhost:1 {}/text", 2,
     'sender "x@" or --envid: the input does not follow its grammar'),
    ("--to a@b.example --trust {}/text localhost:1 {}/text", 2,
     "--trust: the input does not follow its grammar, expected certificates "
     "in PEM"),
    ("--to a@b.example localhost:1 {}/none", 3,
     "{}/none: No such file or directory"),
    ("--to a@b.example --tls none 127.0.0.1:1 {}/text", 3,
     "127.0.0.1 port 1: Connection refused"),
]


def test_wrong_options(p):
    with open(p.folder + "/text", "w") as f:
        f.write("-----BEGIN CERTIFICATE-----\nnone\n")
    faults = []
    for name, program, rows in (("onward-sink", p.args.sink, BAD_SINK),
                                ("onward-send", p.args.send, BAD_SEND)):
        for line, status, said in rows:
            done = subprocess.run([program, *line.replace("{}", p.folder)
                                   .split()], stdin=subprocess.DEVNULL, env=ENV,
                                  capture_output=True, text=True, timeout=20)
            # The library's log may come first, a word about --help last.
            said_last = [one for one in done.stderr.splitlines()
                         if not one.startswith("Try: ")][-1:]
            want = f"{name}: " + said.replace("{}", p.folder)
            if (done.returncode, said_last) != (status, [want]) or done.stdout:
                faults.append(f"{name} {line}\n  {done.returncode} {said_last}"
                              f"{done.stdout}\n  {status} {want}")
        done = subprocess.run([program, "--help"], capture_output=True,
                              text=True, timeout=20)
        if done.returncode != 0 or not done.stdout.startswith("Usage: " + name):
            faults.append(f"{name} --help: {done.returncode} {done.stdout}")
    if faults:
        raise Failed("\n".join(faults))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sink", required=True)
    parser.add_argument("--send", required=True)
    args = parser.parse_args()
    bad = 0
    with Folder("programs") as folder:
        p = Pair(args, folder)
        for test in (test_plain, test_extensions, test_tls, test_auth,
                     test_lmtp, test_wrong_options):
            try:
                test(p)
                print(f"ok {test.__name__}")
            except Failed as e:
                bad += 1
                print(f"not ok {test.__name__}: {e}")
    return 1 if bad else 0


sys.exit(main())
