"""Dovecot and OpenSMTPD in the matrix. The paths of their own files are
compiled in, and they want users of their own: each runs in a mount namespace
where its package lies over /usr and a list of users over /etc, and nobody else
sees it. That takes root and a kernel that allows it (unshare(2), overlayfs)."""
import os
import re
import shutil
import subprocess

import debs
import peers
from matrix_world import NAME, PASSWORD, USER, Skip
from matrix_mta import Mta, is_report, report_of, submit, way_of
from world import Failed, Process, wait_for

SCRIPT = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$LAYERS:/usr" /usr
for name in passwd group shadow hosts; do
    [ -e "$OVER/$name" ] && mount --bind "$OVER/$name" "/etc/$name"
done
mkdir -p "$OVER/empty" "$OVER/run" "$OVER/spool" "$OVER/lib"
mount --bind "$OVER/run" /var/run/
mount --bind "$OVER/spool" /var/spool
mount --bind "$OVER/lib" /var/lib
eval "$MORE"
exec "$@"
"""
USERS = ["opensmtpd", "opensmtpq", "dovecot", "dovenull", "keeper"]


def private(over, trees, argv, more=""):
    """(argv, environment) of argv in such a namespace; over: a folder."""
    os.makedirs(over, exist_ok=True)
    passwd, group = "root:x:0:0::/root:/bin/sh\n", "root:x:0:\n"
    for number, name in enumerate(USERS, 61000):
        home = over + "/home" if name == "keeper" else "/var/lib"
        passwd += f"{name}:x:{number}:{number}::{home}:/bin/sh\n"
        group += f"{name}:x:{number}:\n"
    for name, text in (("passwd", passwd), ("group", group),
                       ("hosts", f"127.0.0.1 localhost {NAME}\n")):
        with open(os.path.join(over, name), "w") as f:
            f.write(text)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OVER": over,
           "LAYERS": ":".join(t + "/usr" for t in trees), "MORE": more}
    return ["unshare", "-m", "sh", "-c", SCRIPT, "sh", *argv], env


def check_private(over):
    """Skip where there are no such namespaces."""
    if peers.why_not():
        raise Skip(peers.why_not())
    if not shutil.which("unshare"):
        raise Skip("no unshare")
    os.makedirs(over + "/layer/usr", exist_ok=True)
    argv, env = private(over, [over + "/layer"], ["true"])
    got = subprocess.run(argv, env=env, capture_output=True, text=True,
                         timeout=20)
    if got.returncode != 0:
        raise Skip("its paths are compiled in, and no mount namespace can be "
                   f"had: {got.stderr.strip()[-200:]}")


class Private(Mta):
    """A server whose Maildir is that of the user keeper."""

    def __enter__(self):
        self.folder = os.path.join(self.world.folder,
                                   type(self).__name__.lower())
        self.over = self.folder + "/over"
        os.makedirs(self.folder, mode=0o755)
        check_private(self.over)
        home = self.over + "/home"
        os.makedirs(home)
        keeper = 61000 + USERS.index("keeper")
        os.chown(home, keeper, keeper)
        self.maildir = home + "/Maildir"
        argv, env = self.prepare()
        self.process = Process(argv, self.folder + "/log", env=env)

        def up():
            if not self.process.running():
                raise Failed(f"{self.name} ended")
            return peers.greets("127.0.0.1", self.port or self.lmtp_port)
        try:
            wait_for(f"{self.name} to greet", up, 20)
        except Failed as e:
            tail = self.process.tail()
            self.process.stop(3)
            raise Failed(f"{e} {tail}") from None
        return self

    def __exit__(self, *_):
        self.process.stop(3)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def messages(self):
        found = []
        for part in ("new", "cur"):
            folder = os.path.join(self.maildir, part)
            if os.path.isdir(folder):
                for name in sorted(os.listdir(folder)):
                    with open(os.path.join(folder, name), "rb") as f:
                        found.append(f.read().replace(b"\r\n", b"\n")
                                     .replace(b"\n", b"\r\n"))
        return found

    def message_with(self, mark):
        try:
            return wait_for(f"{mark!r} at {self.name}", lambda: [
                m for m in self.messages()
                if mark in m and not is_report(m)], 15)[0]
        except Failed as e:
            raise Failed(f"{e} {self.process.tail()}") from None

    def dsn_seen(self, case):
        return ", ".join(wait_for(
            "a report", lambda: report_of(self.messages(), case), 15))


class Dovecot(Private):
    name = "Dovecot LMTP"

    def __init__(self, world):
        super().__init__(world)
        self.lmtp_port, self.port = self.port, None

    def prepare(self):
        core = self.world.tree("dovecot-core")
        lmtp = self.world.tree("dovecot-lmtpd")
        env = {"LD_LIBRARY_PATH": core + "/usr/lib/dovecot:" +
               debs.library_path(core)}
        self.release = subprocess.run(
            [core + "/usr/sbin/dovecot", "--version"], env=env, timeout=20,
            capture_output=True, text=True).stdout.split()[0]
        cert, key = self.world.identity
        keeper = 61000 + USERS.index("keeper")
        config = self.write("dovecot.conf", f"""\
base_dir = {self.over}/dovecot
log_path = {self.folder}/log
protocols = lmtp
hostname = {NAME}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
mail_location = maildir:{self.maildir}
mail_uid = {keeper}
mail_gid = {keeper}
first_valid_uid = 1
auth_username_chars =
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={keeper} gid={keeper} home={self.over}/home allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp_port}
  }}
  inet_listener lmtps {{
    address = 127.0.0.1
    port = {self.tls_port}
    ssl = yes
  }}
}}
service stats {{
  client_limit = 100
}}
""")
        return private(self.over, [lmtp, core],
                       ["/usr/sbin/dovecot", "-F", "-c", config])


class OpenSmtpd(Private):
    """As a server and as a client that is given a message."""
    name = "OpenSMTPD"
    mechanisms = ["PLAIN"]
    lacks = {"SMTPUTF8": "its EHLO does not offer it (see the servers), so "
                         "that no such message gets into its queue"}

    def prepare(self):
        tree = self.world.tree("opensmtpd")
        self.release = re.search(
            r"\d\S*", os.path.basename(self.deb_version())).group(0)
        return private(
            self.over, [tree], ["/usr/sbin/smtpd", "-d", "-f",
                                self.config()],
            "mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty; "
            "chmod 711 /var/spool/smtpd; chmod 755 /var/lib/opensmtpd")

    def deb_version(self):
        return subprocess.run(
            ["apt-cache", "policy", "opensmtpd"], capture_output=True,
            text=True, timeout=20).stdout.split("Candidate:")[1].split()[0]

    def config(self):
        # Its process that holds the keys serves RSA only with OpenSSL 3.
        cert, key = self.world.authority.certify(NAME, rsa=True)
        for f in (cert, key):
            os.chmod(f, 0o600)
        taps = {k: t.port for k, t in self.world.taps.items()}
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], capture_output=True,
            text=True, timeout=20).stdout.strip()
        users = self.write("users", f"{USER} {hashed}\n")
        secrets = self.write("secrets", f"us {USER}:{PASSWORD}\n", 0o600)
        relays = {
            "plain": f'relay host "smtp+notls://127.0.0.1:{taps["smtp"]}"',
            "starttls": f'relay host "smtp+tls://127.0.0.1:{taps["smtp"]}" '
                        'tls no-verify',
            "implicit": f'relay host "smtps://127.0.0.1:{taps["tls"]}" '
                        'tls no-verify',
            "auth-plain": f'relay host "smtp+tls://us@127.0.0.1:'
                          f'{taps["smtp"]}" auth <secrets> tls no-verify',
            "lmtp": f'lmtp "127.0.0.1:{taps["lmtp"]}" rcpt-to '
                    "virtual <everybody>"}
        text = f"""\
pki {NAME} cert "{cert}"
pki {NAME} key "{key}"
table users file:{users}
table secrets file:{secrets}
table everybody {{ "@" = "keeper" }}
listen on 127.0.0.1 port {self.port} tls pki {NAME} auth-optional <users> \
hostname {NAME}
listen on 127.0.0.1 port {self.tls_port} smtps pki {NAME} hostname {NAME}
action "keep" maildir "{self.maildir}" virtual <everybody>
"""
        for way, relay in relays.items():
            text += f'action "{way}" {relay}\n'
        for way in relays:
            text += (f'match from any for domain "{way}.test" '
                     f'action "{way}"\n')
        text += 'match from any for any action "keep"\n'
        return self.write("smtpd.conf", text)

    def send(self, port, case):
        case.to = case.to.replace("@matrix.test", f"@{way_of(case)}.test")
        submit(self.port, case)


class OpenSmtpdServer(OpenSmtpd):
    lacks = {"LMTP": "OpenSMTPD hands mail on by LMTP and takes none by it"}
