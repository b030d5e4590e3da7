#!/usr/bin/env python3
"""mta_sts.py ONWARD: policies fetched over real sockets and TLS, from a little
server on loopback with certificates that openssl makes now."""
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading

from cli import Count, Folder

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\n" \
         b"max_age: 604800\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
GOOD = HEAD + b"Content-Length: %d\r\n\r\n" % len(POLICY) + POLICY

folder = Folder(sys.argv[1])
count = Count()


def openssl(*args):
    subprocess.run(["openssl", *args], cwd=folder.path, check=True,
                   capture_output=True, timeout=60)


def make(name, host, issuer=None):
    """A certificate for a host, by an authority or by itself."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", f"{name}.key"]
    if issuer is None:
        openssl("req", "-x509", *key, "-out", f"{name}.pem", "-days", "2",
                "-subj", f"/CN={name}", *(["-addext", f"subjectAltName=DNS:{host}"]
                                          if host else []))
        return
    openssl("req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}")
    (folder.path / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem",
            "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def serve(listener, cert, answer, seen):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.path / f"{cert}.pem",
                            folder.path / f"{cert}.key")
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    sock, _ = listener.accept()
    sock.settimeout(20)
    try:
        with context.wrap_socket(sock, server_side=True) as tls:
            request = b""
            while b"\r\n\r\n" not in request:
                more = tls.recv(4096)
                if not more:
                    return
                request += more
            seen.append(request)
            tls.sendall(answer)
            tls.unwrap()
    except OSError:
        pass


def check(name, cert, answer, **want):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    seen = []
    thread = threading.Thread(target=serve,
                              args=(listener, cert, answer, seen))
    thread.start()
    done = folder.run(["mta-sts", "check", "example.com", "--dns", "zone.txt",
                       "--connect", f"127.0.0.1:{port}", "--trust", "ca.pem",
                       "--json"])
    thread.join(30)
    listener.close()
    faults = []
    try:
        got = json.loads(done.stdout)
        faults += [f"{k}: {got[k]!r}, expected {v!r}" for k, v in want.items()
                   if got[k] != v]
    except ValueError:
        faults.append(f"{done.stdout!r} {done.stderr!r}")
    if seen[:1] != ["mta-sts.example.com"]:
        faults.append(f"SNI: {seen[:1]}")
    if want.get("tls_failure") is None and not (
            len(seen) == 2 and
            seen[1].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n"
                               b"Host: mta-sts.example.com\r\n")):
        faults.append(f"request: {seen[1:]}")
    if want.get("tls_failure") is not None and len(seen) != 1:
        faults.append("sent a request to a host that proved nothing")
    count.check(name, faults)


def main():
    if shutil.which("openssl") is None:
        print("skipped: no openssl")
        sys.exit(77)
    make("ca", None)
    make("good", "mta-sts.example.com", "ca")
    make("other", "www.example.com", "ca")
    make("self", "mta-sts.example.com")
    check("a policy", "good", GOOD, result="policy", reason=None,
          mode="enforce", mx=["*.example.net"])
    check("chunks", "good", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
          + b"%x\r\n" % len(POLICY) + POLICY + b"\r\n0\r\n\r\n",
          result="policy", reason=None)
    check("up to the end", "good", HEAD + b"\r\n" + POLICY, result="policy")
    check("not found", "good", b"HTTP/1.1 404 Not Found\r\n\r\n",
          result="none", reason="status", http_status=404)
    check("a redirect", "good", b"HTTP/1.1 302 Found\r\nLocation: "
          b"https://www.example.com/\r\n\r\n", reason="status",
          http_status=302)
    check("another type", "good", GOOD.replace(b"text/plain", b"text/html"),
          reason="media-type")
    check("another name", "other", GOOD, result="none", reason="tls",
          tls_failure="name-mismatch")
    check("self-signed", "self", GOOD, result="none", reason="tls",
          tls_failure="untrusted")
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    done = folder.run(["mta-sts", "check", "example.com", "--dns", "zone.txt",
                       "--connect", f"127.0.0.1:{port}", "--trust", "ca.pem"])
    count.check("nobody there", [] if done.stdout == b"result: none\nreason: "
                b"the policy host cannot be reached\n" else [f"{done.stdout!r}"])
    count.finish()


main()
