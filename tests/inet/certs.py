"""The certificates of the local internet, made by certtool, and their TLSA
data, computed with openssl: nothing of ours has a say in what is expected."""
import hashlib
import os
import subprocess

from table import TOP

WRONG = hashlib.sha512(b"a key that nobody has").digest()


def _run(*argv):
    got = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                         check=False)
    if got.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {got.stderr.decode()[-300:]}")
    return got.stdout


def _openssl(*argv):
    return _run("openssl", *argv)


class Issuer:
    """A certificate authority."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.cert = f"{folder}/{name}.key", f"{folder}/{name}.pem"
        _new_key(self.key)
        _certify(self.key, self.cert, None, [f"cn = {name}", "ca",
                                             "cert_signing_key"])


def _new_key(path):
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-out", path)
    os.chmod(path, 0o644)  # servers drop root before they read it


def _certify(key, cert, issuer, lines):
    lines = lines + [f"serial = {int.from_bytes(os.urandom(7), 'big') + 1}"]
    if not any("activation" in line for line in lines):
        lines.append('activation_date = "2020-01-01 00:00:00"')
    if not any("expiration" in line for line in lines):
        lines.append('expiration_date = "2049-01-01 00:00:00"')
    template = cert + ".template"
    with open(template, "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")
    by = (["--generate-self-signed"] if issuer is None else
          ["--generate-certificate", "--load-ca-certificate", issuer.cert,
           "--load-ca-privkey", issuer.key])
    _run("certtool", *by, "--load-privkey", key, "--template", template,
         "--outfile", cert)


class Certificates:
    """All of them, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.issuers = {"ca": Issuer(folder, "ca"), "ta": Issuer(folder, "ta")}
        self.anchor = self.issuers["ca"].cert

    def make(self, label, issuer, names, words=()):
        """(chain file, key file)."""
        base = os.path.join(self.folder, label)
        key, cert = base + ".key", base + ".pem"
        _new_key(key)
        lines = [f"cn = {names[0]}", "signing_key", "tls_www_server"]
        if "cn" not in words:
            lines += [f"dns_name = {n}" for n in names]
        if "expired" in words:
            lines.append('expiration_date = "2024-01-01 00:00:00"')
        if "future" in words:
            lines.append('activation_date = "2045-01-01 00:00:00"')
        by = self.issuers.get(issuer)
        _certify(key, cert, by, lines)
        if by is not None and issuer == "ta" and "nochain" not in words:
            with open(cert, "ab") as out, open(by.cert, "rb") as more:
                out.write(more.read())
        return cert, key

    def files_of(self, host):
        """Of a host that of_host() was called for."""
        base = os.path.join(self.folder, host.key)
        return base + ".pem", base + ".key"

    def of_host(self, host):
        return self.make(host.key, host.issuer, host.names, host.cert_words)

    def _der(self, cert, selector):
        if selector == 0:
            return _openssl("x509", "-in", cert, "-outform", "DER")
        key = _openssl("x509", "-in", cert, "-noout", "-pubkey")
        path = cert + ".pub"
        with open(path, "wb") as f:
            f.write(key)
        return _openssl("pkey", "-pubin", "-in", path, "-outform", "DER")

    def tlsa(self, host, record):
        """The text of a record behind its type."""
        usage, selector, matching, of = record
        if of == "wrong":
            data = WRONG if matching == 2 else WRONG[:32]
        elif of == "junk":
            data = b"what could this be?"
        else:
            of_whom = host.alias[:-len(TOP)] if host.alias else host.key
            cert = self.issuers["ta"].cert if of == "ta" else os.path.join(
                self.folder, of_whom + ".pem")
            data = self._der(cert, selector if selector < 2 else 1)
            if matching != 0:
                data = (hashlib.sha512 if matching == 2 else
                        hashlib.sha256)(data).digest()
            if of == "short":
                data = data[:20]
        return f"{usage} {selector} {matching} {data.hex()}"
