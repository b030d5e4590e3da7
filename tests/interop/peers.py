#!/usr/bin/env python3
"""Real mail servers on loopback, for tests and for examples/demo.sh.

They come from Debian's packages, unpacked into a folder (debs.py) and run with
configuration, queue and mailboxes in a temporary folder: the machine's own
mail set-up is neither read nor changed. They need root, as their own master
processes do.

As a program: peers.py postfix|exim --cache DIR --folder DIR
                       --listen ADDRESS:PORT [--certificate PEM --key PEM]
prints `ready ADDRESS:PORT MAILDIR` and serves until SIGTERM.
"""
import argparse
import grp
import os
import pwd
import signal
import sys

import debs
from world import Failed, Process, greets, wait_for

# Users that every Debian has and that own no processes of importance; Postfix
# wants two different ones that are not root, and a group of its own.
POSTFIX_OWNER = "uucp"
POSTFIX_GROUP = "news"
MAILBOX_OWNER = "games"


def why_not():
    """Why no real server can run here, or None."""
    if os.geteuid() != 0:
        return "real mail servers need root"
    return None


class _Peer:
    """A server with one Maildir for everything that reaches it."""

    def __init__(self, name, cache, folder, address, port, certificate=None):
        self.name, self.address, self.port = name, address, port
        self.certificate = certificate  # (certificate file, key file)
        self.folder = folder
        self.maildir = os.path.join(folder, "mail", "all")
        self.log = os.path.join(folder, "log")
        self.process = None
        os.makedirs(folder, mode=0o755, exist_ok=True)
        os.makedirs(os.path.dirname(self.maildir))
        owner = pwd.getpwnam(MAILBOX_OWNER)
        os.chown(os.path.dirname(self.maildir), owner.pw_uid, owner.pw_gid)
        self.uid, self.gid = owner.pw_uid, owner.pw_gid
        self.prepare(cache)

    def prepare(self, cache):
        raise NotImplementedError

    def command(self):
        """(argv, environment) of the server in the foreground."""
        raise NotImplementedError

    def start(self):
        argv, env = self.command()
        self.process = Process(argv, self.log, env=env)

        def up():
            if not self.process.running():
                raise Failed(f"{self.name} ended:\n{self.process.tail()}")
            return greets(self.address, self.port)
        try:
            wait_for(f"{self.name} to greet", up)
        except Failed as e:
            self.stop()
            raise Failed(f"{e}\n{self.process.tail()}") from None
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def messages(self):
        """What was delivered so far, oldest first, lines ended by CRLF."""
        new = os.path.join(self.maildir, "new")
        try:
            names = sorted(os.listdir(new), key=lambda n: (
                os.stat(os.path.join(new, n)).st_mtime_ns, n))
        except FileNotFoundError:
            return []
        found = []
        for name in names:
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read().replace(b"\r\n", b"\n")
                             .replace(b"\n", b"\r\n"))
        return found

    def message_with(self, mark, seconds=30):
        """The one delivered message that holds the octets mark."""
        def look():
            return [m for m in self.messages() if mark in m]
        found = wait_for(f"{mark!r} at {self.name}", look, seconds)
        if len(found) != 1:
            raise Failed(f"{mark!r} is {len(found)} times at {self.name}")
        return found[0]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path


class Postfix(_Peer):
    """Accepts mail for every domain into the Maildir; with relay=(address,
    port), sends everything there instead, through its own queue and client."""

    def __init__(self, *args, relay=None, relay_tls="may", relay_anchors=None,
                 relay_name="", **more):
        self.relay, self.relay_tls = relay, relay_tls
        self.relay_anchors, self.relay_name = relay_anchors, relay_name
        super().__init__(*args, **more)

    def prepare(self, cache):
        tree = debs.unpack("postfix", cache)
        self.lib = tree + "/usr/lib/postfix"
        self.libraries = self.lib + ":" + debs.library_path(tree)
        queue = os.path.join(self.folder, "queue")
        owner = pwd.getpwnam(POSTFIX_OWNER).pw_uid
        group = grp.getgrnam(POSTFIX_GROUP).gr_gid
        os.makedirs(queue)
        os.makedirs(os.path.join(self.folder, "data"), mode=0o700)
        os.chown(os.path.join(self.folder, "data"), owner, -1)
        for name, mode, uid, gid in (
                ("active", 0o700, owner, -1), ("bounce", 0o700, owner, -1),
                ("corrupt", 0o700, owner, -1), ("defer", 0o700, owner, -1),
                ("deferred", 0o700, owner, -1), ("flush", 0o700, owner, -1),
                ("hold", 0o700, owner, -1), ("incoming", 0o700, owner, -1),
                ("private", 0o700, owner, -1), ("saved", 0o700, owner, -1),
                ("trace", 0o700, owner, -1), ("pid", 0o755, 0, 0),
                ("maildrop", 0o730, owner, group),
                ("public", 0o710, owner, group)):
            path = os.path.join(queue, name)
            os.mkdir(path)
            os.chown(path, uid, gid)
            os.chmod(path, mode)
        self.config = os.path.join(self.folder, "etc")
        os.makedirs(self.config)
        self.write("etc/main.cf", self.main_cf(tree, queue))
        self.write("etc/master.cf", self.master_cf())

    def main_cf(self, tree, queue):
        lines = {
            "compatibility_level": "3.6",
            "queue_directory": queue,
            "data_directory": self.folder + "/data",
            "command_directory": tree + "/usr/sbin",
            "daemon_directory": self.lib + "/sbin",
            "shlib_directory": self.lib,
            "meta_directory": tree + "/etc/postfix",
            "import_environment": "MAIL_CONFIG TZ LD_LIBRARY_PATH=" +
                                  self.libraries,
            "mail_owner": POSTFIX_OWNER,
            "setgid_group": POSTFIX_GROUP,
            "maillog_file": self.log,
            "maillog_file_prefixes": self.folder,
            "myhostname": self.name,
            "mydestination": "",
            "mynetworks": "127.0.0.0/8 [::1]/128",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "inet_interfaces": "loopback-only",
            "inet_protocols": "all",
            # Only host files: a test asks no name server.
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "smtpd_tls_security_level": "may" if self.certificate else "none",
            "smtpd_tls_received_header": "yes",
            "smtp_tls_security_level": self.relay_tls,
            "smtp_tls_loglevel": "1",
            "smtputf8_enable": "yes",
            "notify_classes": "",
            "minimal_backoff_time": "2s", "maximal_backoff_time": "5s",
            "queue_run_delay": "2s",
        }
        if self.certificate:
            lines["smtpd_tls_cert_file"], lines["smtpd_tls_key_file"] = \
                self.certificate
        if self.relay_anchors:
            lines["smtp_tls_CAfile"] = self.relay_anchors
            lines["smtp_tls_secure_cert_match"] = self.relay_name
        if self.relay:
            lines["relayhost"] = "[%s]:%d" % self.relay
        else:
            lines.update({
                "virtual_mailbox_domains": "static:all",
                "virtual_mailbox_base": os.path.dirname(self.maildir),
                "virtual_mailbox_maps": "static:all/",
                "virtual_minimum_uid": "1",
                "virtual_uid_maps": f"static:{self.uid}",
                "virtual_gid_maps": f"static:{self.gid}",
            })
        return "".join(f"{k} = {v}\n" for k, v in lines.items())

    def master_cf(self):
        services = [f"{self.address}:{self.port} inet n - n - - smtpd"]
        for line in ("cleanup unix n - n - 0 cleanup",
                     "qmgr unix n - n 300 1 qmgr",
                     "tlsmgr unix - - n 1000? 1 tlsmgr",
                     "rewrite unix - - n - - trivial-rewrite",
                     "bounce unix - - n - 0 bounce",
                     "defer unix - - n - 0 bounce",
                     "trace unix - - n - 0 bounce",
                     "verify unix - - n - 1 verify",
                     "flush unix n - n 1000? 0 flush",
                     "proxymap unix - - n - - proxymap",
                     "smtp unix - - n - - smtp",
                     "relay unix - - n - - smtp",
                     "error unix - - n - - error",
                     "retry unix - - n - - error",
                     "discard unix - - n - - discard",
                     "virtual unix - n n - - virtual",
                     "anvil unix - - n - 1 anvil",
                     "scache unix - - n - 1 scache",
                     "postlog unix-dgram n - n - 1 postlogd"):
            services.append(line)
        return "\n".join(services) + "\n"

    def command(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
               "LD_LIBRARY_PATH": self.libraries,
               "MAIL_CONFIG": self.config}
        return [self.lib + "/sbin/master", "-c", self.config, "-d"], env


class Exim(_Peer):
    """Accepts mail for every domain into the Maildir."""

    def prepare(self, cache):
        tree = debs.unpack("exim4-daemon-light", cache)
        wrapper = debs.unpack("libnss-wrapper", cache)
        self.program = tree + "/usr/sbin/exim4"
        spool = os.path.join(self.folder, "spool")
        os.makedirs(spool)
        os.chown(spool, self.uid, self.gid)
        self.log = os.path.join(self.folder, "console")
        # Exim will not start unless the user that Debian built it for exists;
        # a table for its processes alone is as good as an account.
        passwd = self.write(
            "passwd", "root:x:0:0::/root:/bin/sh\n"
            f"Debian-exim:x:{self.uid}:{self.gid}::/:/bin/false\n")
        group = self.write("group", "root:x:0:\n"
                           f"Debian-exim:x:{self.gid}:\nmail:x:8:\n")
        preload = next(os.path.join(at, name)
                       for at, _, names in os.walk(wrapper) for name in names
                       if name.startswith("libnss_wrapper.so"))
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "LD_LIBRARY_PATH": debs.library_path(tree),
                    "LD_PRELOAD": preload, "NSS_WRAPPER_PASSWD": passwd,
                    "NSS_WRAPPER_GROUP": group}
        self.config = self.write("exim.conf", self.exim_conf(spool))

    def exim_conf(self, spool):
        tls = "tls_advertise_hosts =\n"
        if self.certificate:
            tls = ("tls_advertise_hosts = *\ntls_certificate = %s\n"
                   "tls_privatekey = %s\n" % self.certificate)
        return f"""\
exim_path = {self.program}
primary_hostname = {self.name}
spool_directory = {spool}
log_file_path = {spool}/log-%s
pid_file_path = {self.folder}/pid
exim_user = Debian-exim
exim_group = Debian-exim
deliver_drop_privilege = true
local_interfaces = {self.address}
daemon_smtp_ports = {self.port}
keep_environment =
add_environment = <; {";".join(f"{k}={v}" for k, v in self.env.items())}
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = all
acl_smtp_data = all
{tls}
begin acl
all:
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {self.maildir}
  maildir_format
  create_directory
  return_path_add
  user = {self.uid}
  group = {self.gid}
"""

    def command(self):
        return [self.program, "-C", self.config, "-bdf"], self.env


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=["postfix", "exim"])
    parser.add_argument("--name", default="mx.example.org")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    args = parser.parse_args()
    address, _, port = args.listen.rpartition(":")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    if why_not():
        print(why_not(), file=sys.stderr)
        return 77
    kind = {"postfix": Postfix, "exim": Exim}[args.server]
    try:
        peer = kind(args.name, args.cache, args.folder, address, int(port),
                    (args.certificate, args.key) if args.certificate else None)
        with peer:
            print(f"ready {args.listen} {peer.maildir}", flush=True)
            peer.process.child.wait()
            print(peer.process.tail(), file=sys.stderr)
            return 1
    except debs.Unavailable as e:
        print(e, file=sys.stderr)
        return 77
    except Failed as e:
        print(e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
