"""The clients of the matrix: how each is told to bring a message. A client's
`lacks` says of a column why there is nothing to run, and how that is known."""
import json
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys

from matrix_mta import Exim, Postfix
from matrix_private import OpenSmtpd
from matrix_world import NAME, PASSWORD, TOKEN, USER, Skip
from world import Failed

HERE = os.path.dirname(os.path.abspath(__file__))


def ran(argv, data=b"", env=None):
    got = subprocess.run(argv, input=data, capture_output=True, timeout=30,
                         env=env)
    if got.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {got.returncode} "
                     f"{(got.stdout + got.stderr).decode(errors='replace')}")
    return got.stdout.decode(errors="replace")


class Client:
    """A client that is started for each message."""
    lacks, marks, mechanisms = {}, {}, []

    def __init__(self, world):
        self.world = world

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def send(self, port, case):
        """Bring case.message() to 127.0.0.1:port, as case says."""
        raise NotImplementedError


class Swaks(Client):
    name = "swaks"
    mechanisms = ["PLAIN", "LOGIN"]
    lacks = {
        "DSN": "swaks(1) has no option for parameters of MAIL and RCPT",
    }
    marks = {"pipelining": " (--pipeline)"}

    def __enter__(self):
        if not shutil.which("swaks"):
            raise Skip("no swaks")
        return self

    def version(self):
        return re.search(r"version (\S+)", ran(["swaks", "--version"]))[1]

    def send(self, port, case):
        # -ndf: no change of dots and line ends; the final dot is ours then.
        message = re.sub(rb"(?m)^\.", b"..", case.message()) + b"."
        argv = ["swaks", "--server", "127.0.0.1", "--port", str(port),
                "--helo", "client.test", "--from", case.sender, "--to",
                case.to, "--data", "@" + self.world.file("swaks.eml", message),
                "--no-data-fixup", "--pipeline"]
        anchor = self.world.authority.anchor
        if case.tls:
            argv += ["-tlsc" if case.tls == "implicit" else "-tls",
                     "--tls-verify", "--tls-ca-path", anchor]
        if case.auth:
            argv += ["--auth", case.auth, "--auth-user", USER,
                     "--auth-password", PASSWORD]
        if case.lmtp:
            argv += ["--protocol", "LMTP"]
        ran(argv)


class Smtplib(Client):
    name = "Python smtplib"
    mechanisms = ["PLAIN", "LOGIN"]

    def version(self):
        return "%d.%d" % sys.version_info[:2]

    def send(self, port, case):
        context = ssl.create_default_context(
            cafile=self.world.authority.anchor)
        context.check_hostname = False
        at = ("127.0.0.1", port)
        if case.lmtp:
            s = smtplib.LMTP(*at, local_hostname="client.test")
        elif case.tls == "implicit":
            s = smtplib.SMTP_SSL(*at, local_hostname="client.test",
                                 context=context)
        else:
            s = smtplib.SMTP(*at, local_hostname="client.test")
        with s:
            s.ehlo()
            if case.tls == "starttls":
                s.starttls(context=context)
                s.ehlo()
            if case.auth:
                s.user, s.password = USER, PASSWORD
                s.auth(case.auth, getattr(s, "auth_" + case.auth.lower()))
            mail, rcpt = ["BODY=8BITMIME"], []
            if case.utf8:
                mail.append("SMTPUTF8")
            if case.dsn:
                mail += ["RET=HDRS", "ENVID=" + case.envid.replace("+", "+2B")]
                rcpt = ["NOTIFY=SUCCESS,FAILURE",
                        "ORCPT=" + case.orcpt.replace("+", "+2B")]
            s.sendmail(case.sender, [case.to], case.message(), mail, rcpt)


class Msmtp(Client):
    name = "msmtp"
    mechanisms = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"]

    def __enter__(self):
        self.program = shutil.which("msmtp")
        if not self.program:
            raise Skip("no msmtp")
        self.env = {"PATH": os.environ["PATH"], "HOME": self.world.folder}
        return self

    def version(self):
        return re.search(r"version (\S+)",
                         ran([self.program, "--version"], env=self.env))[1]

    def send(self, port, case):
        argv = [self.program, "--host=127.0.0.1", f"--port={port}",
                "--domain=client.test", "--from=" + case.sender,
                "--set-from-header=off", "--set-date-header=off",
                "--set-msgid-header=off"]
        if case.tls:
            argv += ["--tls=on", "--tls-host-override=" + NAME,
                     "--tls-trust-file=" + self.world.authority.anchor,
                     "--tls-starttls=" +
                     ("off" if case.tls == "implicit" else "on")]
        if case.auth:
            secret = TOKEN if case.auth.endswith(("BEARER", "2")) and \
                "OAUTH" in case.auth else PASSWORD
            argv += ["--auth=" + case.auth.lower(), "--user=" + USER,
                     f"--passwordeval=echo {secret}"]
        if case.dsn:
            argv += ["--dsn-notify=success,failure", "--dsn-return=hdrs"]
        if case.lmtp:
            argv.append("--protocol=lmtp")
        ran(argv + ["--", case.to],
            case.message().replace(b"\r\n", b"\n"), self.env)


class Nodemailer(Client):
    name = "nodemailer"
    mechanisms = ["PLAIN", "LOGIN", "XOAUTH2"]

    def __enter__(self):
        self.env = dict(os.environ,
                        NODE_PATH=self.world.npm("nodemailer@10"))
        return self

    def version(self):
        with open(self.env["NODE_PATH"] + "/nodemailer/package.json") as f:
            return json.load(f)["version"]

    def send(self, port, case):
        transport = {"host": "127.0.0.1", "port": port, "name": "client.test",
                     "secure": case.tls == "implicit",
                     "requireTLS": case.tls == "starttls",
                     "ignoreTLS": case.tls is None, "lmtp": case.lmtp,
                     "tls": {"servername": NAME}}
        if case.auth == "XOAUTH2":
            transport["auth"] = {"type": "OAuth2", "user": USER,
                                 "accessToken": TOKEN}
        elif case.auth:
            transport["auth"] = {"user": USER, "pass": PASSWORD}
            transport["authMethod"] = case.auth
        order = {"transport": transport, "ca": self.world.authority.anchor,
                 "message": self.world.file("nodemailer.eml", case.message()),
                 "envelope": {"from": case.sender, "to": [case.to]}}
        if case.dsn:
            order["dsn"] = {"id": case.envid, "return": "headers",
                            "notify": ["success", "failure"],
                            "recipient": case.orcpt}
        ran(["node", HERE + "/matrix_peers/nodemailer.js", json.dumps(order)],
            env=self.env)


PEERS = {peer.name: peer for peer in
         (Postfix, Exim, OpenSmtpd, Swaks, Msmtp, Nodemailer, Smtplib)}
