#!/usr/bin/python3
"""signers.py ONWARD NAME=PROGRAM...: what the programs of examples/signers sign
is taken by the command line tool: RSA and Ed25519, several messages at once,
keys in files and in a token of SoftHSM. Exit 77: nothing could be tried."""
import base64
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

tool = sys.argv[1]
programs = dict(arg.split("=", 1) for arg in sys.argv[2:])
folder = pathlib.Path(tempfile.mkdtemp(prefix="signers-"))
PIN = "46913578"
good = bad = 0


def check(name, is_good, said=""):
    global good, bad
    good, bad = good + bool(is_good), bad + (not is_good)
    if not is_good:
        print(f"FAILED: {name}: {said}")


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], capture_output=True,
                          check=True).stdout


def run(*args):
    return subprocess.run(list(map(str, args)), capture_output=True,
                          timeout=60, stdin=subprocess.DEVNULL)


def make_keys():
    zone = ""
    for kind, more in (("rsa", ("-pkeyopt", "rsa_keygen_bits:2048")),
                       ("ed25519", ())):
        key = folder / f"{kind}.pem"
        openssl("genpkey", "-algorithm", kind, *more, "-out", key)
        openssl("pkey", "-in", key, "-pubout", "-out", folder / f"{kind}.pub")
        der = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
        p = base64.b64encode(der if kind == "rsa" else der[-32:]).decode()
        text = f"v=DKIM1; k={kind}; p={p}"
        zone += f"{kind}._domainkey.example.org. TXT " + " ".join(
            f'"{text[i:i + 200]}"' for i in range(0, len(text), 200)) + "\n"
    (folder / "zone").write_text(zone)


def make_messages():
    for i in range(20):
        path = folder / f"m{i}.eml"
        path.write_bytes(b"From: a@example.org\r\nTo: b@example.net\r\n"
                         b"Subject: %d\r\n\r\n" % i + b"text\r\n" * i)
        yield path


def verdicts(fields, messages):
    """One signed message a field, in the order of the messages."""
    fields = fields.split(b"DKIM-Signature:")[1:]
    if len(fields) != len(messages):
        return [f"{len(fields)} fields"]
    said = []
    for field, message in zip(fields, messages):
        signed = folder / "signed.eml"
        signed.write_bytes(b"DKIM-Signature:" + field + message.read_bytes())
        done = run(tool, "verify", "--json", "--dns", folder / "zone", signed)
        said += [s["result"] for s in json.loads(done.stdout)["dkim"]]
    return said


def sign(name, kind, args, messages):
    done = run(*args, "example.org", kind, *messages)
    said = verdicts(done.stdout, messages)
    check(f"{name}: {kind}",
          done.returncode == 0 and said == ["pass"] * len(messages),
          f"{said} {done.stderr.decode()}")


def test_files(messages):
    for name, before in (("openssl", []), ("threads", ["3"]),
                         ("threads", ["1"])):
        if name not in programs:
            print(f"skipped: {name} was not built")
            continue
        program = [programs[name], *before]
        for kind in ("rsa", "ed25519"):
            sign(name, kind, [*program, folder / f"{kind}.pem"], messages)
        done = run(*program, folder / "none.pem", "example.org", "s",
                   messages[0])
        check(f"{name}: no such key", done.returncode == 1 and done.stderr)
        done = run(*program, folder / "rsa.pem", "example.org", "rsa",
                   messages[0], folder / "none.eml", messages[1])
        check(f"{name}: one message cannot be read",
              done.returncode == 1 and b"none.eml" in done.stderr
              and verdicts(done.stdout, messages[:2]) == ["pass"] * 2,
              done.stderr)


def test_token(messages):
    modules = glob.glob("/usr/lib*/softhsm/libsofthsm2.so") + \
        glob.glob("/usr/lib/*/softhsm/libsofthsm2.so")
    if not (modules and shutil.which("softhsm2-util")
            and shutil.which("p11tool") and "pkcs11" in programs):
        print("skipped: SoftHSM or p11tool is not here")
        return
    tokens = folder / "tokens"
    tokens.mkdir()
    (folder / "softhsm.conf").write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
        "log.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm.conf")
    os.environ["GNUTLS_PIN"] = PIN
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label",
                    "mail", "--so-pin", "12345678", "--pin", PIN], check=True,
                   capture_output=True)
    for kind in ("rsa", "ed25519"):
        for what, file in (("privkey", "pem"), ("pubkey", "pub")):
            subprocess.run(
                ["p11tool", "--provider", modules[0], "--batch", "--login",
                 "--write", f"--load-{what}", str(folder / f"{kind}.{file}"),
                 "--label", kind, "pkcs11:token=mail"], check=True,
                capture_output=True)
    del os.environ["GNUTLS_PIN"]
    (folder / "pin").write_text(PIN)
    for kind in ("rsa", "ed25519"):
        url = f"pkcs11:token=mail;object={kind}?pin-source={folder}/pin"
        sign("pkcs11", kind, [programs["pkcs11"], modules[0], url], messages)
    wrong = "pkcs11:token=mail;object=rsa?pin-value=11112222"
    done = run(programs["pkcs11"], modules[0], wrong, "example.org", "rsa",
               messages[0])
    check("pkcs11: wrong PIN", done.returncode == 1 and not done.stdout
          and b"11112222" not in done.stderr, done.stderr)


try:
    make_keys()
    test_files(list(make_messages()))
    test_token(sorted(folder.glob("m*.eml"))[:3])
finally:
    shutil.rmtree(folder)
if good + bad == 0:
    sys.exit(77)
print(f"[  PASSED  ] {good} test(s).")
if bad:
    print(f"[  FAILED  ] {bad} test(s).")
    sys.exit(1)
