"""The certificates of the local internet, made by certtool, and their TLSA
data, computed with openssl: nothing of ours has a say in what is expected."""
import hashlib
import itertools
import os
import ssl
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
    """All of them, in a folder. Keys take time, so hosts share a few; no two
    that stand side by side in hosts.txt have the same."""
    POOL = 7

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.issuers = {"ca": Issuer(folder, "ca"), "ta": Issuer(folder, "ta")}
        self.anchor = self.issuers["ca"].cert
        self.pool = [f"{folder}/pool-{i}.key" for i in range(self.POOL)]
        for path in self.pool:
            _new_key(path)
        self.next = itertools.cycle(self.pool)
        self.hosts = {}   # (certificate, key) files by host
        self.public = {}  # by key file

    def make(self, label, issuer, names, words=(), key=None):
        """(chain file, key file)."""
        base = os.path.join(self.folder, label)
        cert = base + ".pem"
        if key is None:
            key = base + ".key"
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

    def of_host(self, host):
        if host.key not in self.hosts:
            key = None if "own-key" in host.cert_words else next(self.next)
            self.hosts[host.key] = self.make(
                host.key, host.issuer, host.names, host.cert_words, key)
        return self.hosts[host.key]

    def _public_of(self, key):
        if key not in self.public:
            self.public[key] = _openssl("pkey", "-in", key, "-pubout",
                                        "-outform", "DER")
        return self.public[key]

    def _data(self, host, selector, of):
        if of == "ta":
            ta = self.issuers["ta"]
            cert, key = ta.cert, ta.key
        else:
            cert, key = self.hosts[host.alias[:-len(TOP)] if host.alias
                                   else host.key]
        return _der(cert) if selector == 0 else self._public_of(key)

    def tlsa(self, host, record):
        """The text of a record behind its type."""
        usage, selector, matching, of = record
        if of == "wrong":
            data = WRONG if matching == 2 else WRONG[:32]
        elif of == "junk":
            data = b"what could this be?"
        else:
            data = self._data(host, selector, of)
            if matching != 0:
                data = (hashlib.sha512 if matching == 2 else
                        hashlib.sha256)(data).digest()
            if of == "short":
                data = data[:20]
        return f"{usage} {selector} {matching} {data.hex()}"


def _der(path):
    """The first certificate of a file."""
    with open(path, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(
            f.read().split("-----END CERTIFICATE-----")[0] +
            "-----END CERTIFICATE-----\n")
