#!/usr/bin/python3
"""auth_peers.py AUTH_TOOL: AUTH between this library and others. GNU SASL,
Python's smtplib and swaks log in at our server; our client logs in at a server
whose SASL is GNU SASL's, and at our own server. What is not installed is left
out, and said."""
import base64
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import Failed, free_port, greets, wait_for  # noqa: E402

USER, PASSWORD, TOKEN = "tim", "tanst,af=\u00e9", "tanstaaf"
PLAIN, LOGIN, SCRAM, PLUS = 1, 2, 16, 32
passed, skipped = [], []


def check(name, ok, detail=""):
    if not ok:
        raise Failed(f"{name}: {detail}")
    passed.append(name)
    print(f"ok: {name}")


def make_cert(folder):
    """A certificate of its own authority for localhost."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, capture_output=True)
    return f"{folder}/cert.pem", f"{folder}/key.pem"


# ---- Others at our server -------------------------------------------------

def by_gsasl(port, cert, mechanism, password=PASSWORD, more=()):
    run = subprocess.run(
        ["gsasl", "--client", "--smtp", f"--connect=localhost:{port}",
         "--hostname=localhost", f"--mechanism={mechanism}",
         f"--authentication-id={USER}",
         f"--password={password}", "--starttls", f"--x509-ca-file={cert}",
         "--quiet"] + list(more),
        input=b"", capture_output=True, timeout=30)
    return run.returncode, run.stdout + run.stderr


def gsasl_logs_in(port, cert, said):
    if not shutil.which("gsasl"):
        skipped.append("gsasl is not here")
        return
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        # Told to bind it says that we do not offer it ("y"), and that we
        # refuse.
        more = ["--no-cb"] if mechanism == "SCRAM-SHA-256" else []
        _, out = by_gsasl(port, cert, mechanism, more=more)
        wait_for(f"{mechanism} by gsasl: {out!r}",
                 lambda: f"yes {mechanism}" in said, 5)
        said.clear()
        check(f"gsasl -> our server, {mechanism}", True)
    by_gsasl(port, cert, "SCRAM-SHA-256-PLUS", "wrong")
    wait_for("a refusal of gsasl",
             lambda: "no SCRAM-SHA-256-PLUS" in said, 5)
    said.clear()
    check("gsasl -> our server, a wrong password", True)


def smtplib_logs_in(port, cert, said):
    context = ssl.create_default_context(cafile=cert)
    for auth, name in (("auth_plain", "PLAIN"), ("auth_login", "LOGIN")):
        with smtplib.SMTP("localhost", port, timeout=10) as s:
            s.starttls(context=context)
            s.ehlo()
            s.user, s.password = USER, TOKEN
            try:
                s.auth(name, getattr(s, auth))
                check(f"smtplib, {name}, a wrong password", False)
            except smtplib.SMTPAuthenticationError as e:
                check(f"smtplib -> our server, {name}, a wrong password",
                      e.smtp_code == 535, e)

            def xoauth2(challenge=None):
                if challenge:
                    return ""
                return f"user={USER}\1auth=Bearer {TOKEN}\1\1"
            code, text = s.auth("XOAUTH2", xoauth2)
            check(f"smtplib -> our server, XOAUTH2 ({name} before)",
                  code == 235, text)
    said.clear()


def swaks_logs_in(port, said):
    if not shutil.which("swaks"):
        skipped.append("swaks is not here")
        return
    for mechanism in ("PLAIN", "LOGIN"):
        run = subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{port}", "--tls", "--auth",
             mechanism, "--auth-user", USER, "--auth-password", PASSWORD,
             "--from", "a@localhost", "--to", "b@localhost", "--helo", "c"],
            capture_output=True, timeout=30)
        check(f"swaks -> our server, {mechanism}",
              run.returncode == 0 and f"yes {mechanism}" in said,
              run.stdout + run.stderr)
        said.clear()


# ---- Our client at others --------------------------------------------------

def gsasl_server(listener, mechanism):
    """SMTP around the SASL of gsasl: lines of base64 in and out."""
    conn, _ = listener.accept()
    with conn, conn.makefile("rwb", buffering=0) as smtp:
        def say(text):
            smtp.write(text.encode() + b"\r\n")
        say("220 x")
        smtp.readline()
        say(f"250-x\r\n250 AUTH {mechanism}")
        words = smtp.readline().decode().split()
        sasl = subprocess.Popen(
            ["gsasl", "--server", "--quiet", f"--mechanism={mechanism}",
             f"--password={PASSWORD}", "--iteration-count=5000",
             "--service=smtp", "--hostname=localhost"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        sasl.stdout.readline()  # the mechanism
        sasl.stdout.readline()  # an empty challenge
        line = words[2] if len(words) > 2 else ""
        is_ok = False
        try:
            while line:
                sasl.stdin.write(line.encode() + b"\n")
                sasl.stdin.flush()
                answer = sasl.stdout.readline().decode().strip()
                if not answer:
                    break
                # gsasl shows its signature to a client that has proved itself.
                is_ok = base64.b64decode(answer).startswith(b"v=")
                say(f"334 {answer}")
                line = smtp.readline().decode().strip()
            say("235 2.7.0 yes" if is_ok else "535 5.7.8 no")
        finally:
            sasl.kill()
        smtp.readline()
        say("221 x")


def our_client(tool, port, mechanisms, password, *trust):
    run = subprocess.run([tool, "client", str(port), str(mechanisms), USER,
                          password, *trust], capture_output=True, timeout=60)
    return run.stdout.decode().strip()


def we_log_in_at_gsasl(tool):
    if not shutil.which("gsasl"):
        return
    for password, want in ((PASSWORD, "yes SCRAM-SHA-256"), ("wrong", "no 535")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(
                target=gsasl_server, args=(listener, "SCRAM-SHA-256"),
                daemon=True)
            thread.start()
            got = our_client(tool, listener.getsockname()[1], SCRAM, password)
            check(f"our client -> gsasl, SCRAM-SHA-256: {want}",
                  got.startswith(want), got)
            thread.join(10)


def we_log_in_at_ours(tool, port, cert):
    for mechanisms, name in ((63, "SCRAM-SHA-256-PLUS"),
                             (SCRAM, "SCRAM-SHA-256"), (PLAIN, "PLAIN"),
                             (LOGIN, "LOGIN")):
        got = our_client(tool, port, mechanisms, PASSWORD, cert)
        check(f"our client -> our server over TCP, {name}",
              got == f"yes {name}", got)


def main():
    tool = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_cert(folder)
        port = free_port()
        server = subprocess.Popen([tool, "server", str(port), cert, key],
                                  stdout=subprocess.PIPE, text=True)
        said = []
        threading.Thread(
            target=lambda: said.extend(iter_lines(server, said)),
            daemon=True).start()
        try:
            wait_for("our server", lambda: greets("127.0.0.1", port), 10)
            gsasl_logs_in(port, cert, said)
            smtplib_logs_in(port, cert, said)
            swaks_logs_in(port, said)
            we_log_in_at_ours(tool, port, cert)
            we_log_in_at_gsasl(tool)
        finally:
            server.kill()
            server.wait()
    for why in skipped:
        print(f"skipped: {why}")
    print(f"{len(passed)} passed, 0 failed")


def iter_lines(server, said):
    for line in server.stdout:
        said.append(line.strip())
    return []


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        print(f"failed: {failure}")
        sys.exit(1)
