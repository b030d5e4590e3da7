"""Postfix and Exim in the matrix, each as a server and as a client of ours.

As a client an MTA is given a message by SMTP and brings it on; the domain of
the recipient says how. It must be root, see peers.py."""
import os
import re
import smtplib
import subprocess

import debs
import peers
from matrix_world import NAME, PASSWORD, USER, Skip
from world import Failed, free_port, wait_for


def way_of(case):
    """How a message goes on: the first label of its recipient's domain."""
    if case.auth:
        return "auth-" + case.auth.lower()
    return "lmtp" if case.lmtp else case.tls or "plain"


def xtext(text):
    return text.replace("+", "+2B")


def submit(port, case):
    """Give a message to an MTA, with all that it shall hand on."""
    mail, rcpt = ["BODY=8BITMIME"], []
    if case.utf8:
        mail.append("SMTPUTF8")
    if case.dsn:
        mail += ["RET=HDRS", "ENVID=" + xtext(case.envid)]
        rcpt = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=" + xtext(case.orcpt)]
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test") as s:
        s.ehlo()
        s.sendmail(case.sender, [case.to], case.message(), mail, rcpt)


def report_of(messages, case):
    """What a report that says "delivered" has kept of the parameters."""
    for m in messages:
        if not is_report(m) or case.mark.encode() not in m:
            continue
        text = m.decode("utf-8", "replace")
        if not re.search(r"^Action: (delivered|expanded|relayed)", text,
                         re.M | re.I):
            raise Failed(f"the report says something else: {text}")
        seen = ["NOTIFY"]
        orcpt = re.search(r"^Original-Recipient: *(\w+); *(.*)\r$", text, re.M)
        if orcpt and f"{orcpt[1]};{orcpt[2]}" in (case.orcpt,
                                                  xtext(case.orcpt)):
            seen.append("ORCPT")
        if "Zwölf" not in text:
            seen.append("RET")
        envid = re.search(r"^Original-Envelope-Id: *(.*)\r$", text,
                          re.M | re.I)
        if envid and envid[1] in (case.envid, xtext(case.envid)):
            seen.append("ENVID")
        return seen
    return None


def is_report(message):
    return b"message/delivery-status" in message


class Ports:
    """Ports below those that the kernel hands out, none twice."""

    def __init__(self):
        self.last = 0

    def __call__(self):
        first = free_port()
        self.last = max(first, self.last + 1)
        return self.last


PORTS = Ports()


class Mta:
    """What both have: one process for all columns of a row."""
    lacks, marks, mechanisms = {}, {}, []
    lmtp_port = None

    def __init__(self, world):
        self.world = world
        if peers.why_not():
            raise Skip(peers.why_not())
        self.port, self.tls_port = PORTS(), PORTS()

    def __enter__(self):
        folder = os.path.join(
            self.world.folder, type(self).__name__.lower())
        try:
            self.peer = self.make(folder)
            self.peer.start()
        except debs.Unavailable as e:
            raise Skip(str(e)) from None
        except Failed as e:  # of nothing that is ours: nobody spoke yet
            self.peer.stop()
            raise Skip(f"it does not start here: {e}") from None
        return self

    def __exit__(self, *_):
        self.peer.stop()

    def version(self):
        return self.release

    # As a server.
    def address(self, case):
        return case.to

    def message_with(self, mark):
        # A report has the header of what it reports on.
        return wait_for(f"{mark!r} at {self.name}", lambda: [
            m for m in self.peer.messages()
            if mark in m and not is_report(m)], 20)[0]

    def dsn_seen(self, case):
        return ", ".join(wait_for(
            "a report", lambda: report_of(self.peer.messages(), case), 20))

    # As a client.
    def send(self, port, case):
        case.to = case.to.replace("@matrix.test", f"@{way_of(case)}.test")
        submit(self.port, case)


# ---- Postfix ---------------------------------------------------------------

class MatrixPostfix(peers.Postfix):
    """Postfix with a port for TLS from the first octet, SASL, and ways on."""

    def __init__(self, mta, *args, **more):
        self.mta = mta
        super().__init__(*args, **more)

    def prepare(self, cache):
        super().prepare(cache)
        os.makedirs(self.folder + "/etc/sasl")
        base = self.folder + "/etc/sasl/sasldb2"
        self.write("etc/sasl/smtpd.conf",
                   "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                   "mech_list: PLAIN LOGIN SCRAM-SHA-256\n"
                   f"sasldb_path: {base}\n")
        tree = debs.unpack("sasl2-bin", cache)
        got = subprocess.run(
            [tree + "/usr/sbin/saslpasswd2", "-p", "-c", "-f", base, "-u",
             self.name, USER], input=PASSWORD.encode(), capture_output=True,
            env={"LD_LIBRARY_PATH": debs.library_path(tree)}, timeout=20)
        if got.returncode != 0:
            raise debs.Unavailable(f"saslpasswd2: {got.stderr}")
        os.chmod(base, 0o644)

    def main_cf(self, tree, queue):
        taps = {k: t.port for k, t in self.mta.world.taps.items()}
        ways = {"plain": taps["smtp"], "starttls": taps["smtp"],
                "implicit": taps["tls"], "lmtp": taps["lmtp"]}
        ways.update({"auth-" + m.lower(): taps["smtp"]
                     for m in self.mta.mechanisms})
        self.ways = list(ways)
        table = ", ".join(f"{{{w}.test = out-{w}:[127.0.0.1]:{p}}}"
                          for w, p in ways.items())
        text = super().main_cf(tree, queue)
        # What goes on is no mail for here.
        text = re.sub(r"(?m)^virtual_mailbox_domains = .*$",
                      "virtual_mailbox_domains = matrix.test, sender.test",
                      text)
        return text + (
            f"transport_maps = inline:{{{table}}}\n"
            f"smtp_tls_CAfile = {self.mta.world.authority.anchor}\n"
            f"smtp_tls_secure_cert_match = {NAME}\n"
            "smtpd_sasl_auth_enable = yes\n"
            "smtpd_sasl_security_options = noanonymous\n"
            f"smtpd_sasl_local_domain = {self.name}\n"
            f"cyrus_sasl_config_path = {self.folder}/etc/sasl\n"
            f"smtp_sasl_password_maps = static:{USER}:{PASSWORD}\n"
            "smtp_sasl_security_options = noanonymous\n"
            "lmtp_tls_security_level = none\n")

    def master_cf(self):
        lines = [super().master_cf().rstrip()]
        lines.append(f"{self.address}:{self.mta.tls_port} inet n - n - - smtpd"
                     " -o smtpd_tls_wrappermode=yes")
        for way in self.ways:
            options = ["smtp_tls_security_level=" +
                       ("none" if way == "plain" else "secure")]
            if way == "implicit":
                options.append("smtp_tls_wrappermode=yes")
            if way.startswith("auth-"):
                options += ["smtp_sasl_auth_enable=yes",
                            "smtp_sasl_mechanism_filter=" + way[5:]]
            program = "lmtp" if way == "lmtp" else "smtp"
            if way == "lmtp":
                options = []
            lines.append(f"out-{way} unix - - n - - {program} " +
                         " ".join("-o " + o for o in options))
        return "\n".join(lines) + "\n"


class Postfix(Mta):
    name = "Postfix"
    mechanisms = ["PLAIN", "LOGIN", "SCRAM-SHA-256"]
    lacks = {}

    def make(self, folder):
        peer = MatrixPostfix(self, NAME, self.world.cache, folder, "127.0.0.1",
                             self.port, self.world.identity)
        argv, env = peer.command()
        tree = os.path.dirname(os.path.dirname(os.path.dirname(peer.lib)))
        self.release = subprocess.run(
            [tree + "/usr/sbin/postconf", "-c", peer.config, "-h",
             "mail_version"], env=env, capture_output=True, text=True,
            timeout=20).stdout.strip()
        return peer


class PostfixServer(Postfix):
    lacks = {"LMTP": "Postfix has an LMTP client and no LMTP server"}


# ---- Exim ------------------------------------------------------------------

class MatrixExim(peers.Exim):
    """Exim with the same."""

    def __init__(self, mta, *args, **more):
        self.mta = mta
        super().__init__(*args, **more)

    def exim_conf(self, spool):
        taps = {k: t.port for k, t in self.mta.world.taps.items()}
        anchor = self.mta.world.authority.anchor
        text = super().exim_conf(spool)
        text = text.replace(
            f"daemon_smtp_ports = {self.port}\n",
            f"daemon_smtp_ports = {self.port} : {self.mta.tls_port}\n"
            f"tls_on_connect_ports = {self.mta.tls_port}\n"
            "dsn_advertise_hosts = *\nsmtputf8_advertise_hosts = *\n"
            "auth_advertise_hosts = *\n")
        routers, transports = "", ""
        checked = (f"  hosts_require_tls = *\n  tls_verify_certificates = "
                   f"{anchor}\n  tls_verify_cert_hostnames =\n"
                   f"  tls_verify_hosts = *\n  tls_sni = {NAME}\n")
        ways = {"plain": (taps["smtp"], "  hosts_avoid_tls = *\n"),
                "starttls": (taps["smtp"], checked),
                "implicit": (taps["tls"], "  protocol = smtps\n" + checked),
                "lmtp": (taps["lmtp"],
                         "  protocol = lmtp\n  hosts_avoid_tls = *\n")}
        for m in self.mta.mechanisms:
            ways["auth-" + m.lower()] = (
                taps["smtp"], "  hosts_require_auth = *\n" + checked)
        for way, (port, options) in ways.items():
            name = "out_" + way.replace("-", "_")
            routers += (f"{name}:\n  driver = manualroute\n"
                        f"  domains = {way}.test\n"
                        f"  route_list = * 127.0.0.1\n  self = send\n"
                        f"  transport = {name}\n  no_more\n")
            transports += (f"{name}:\n  driver = smtp\n  port = {port}\n"
                           "  allow_localhost\n" + options)
        text = text.replace("begin routers\n", "begin routers\n" + routers)
        return text + transports + "begin authenticators\n" + "".join(
            f"{m.lower()}:\n  driver = plaintext\n  public_name = {m}\n"
            f"  client_condition = ${{if eq{{$transport_name}}"
            f"{{out_auth_{m.lower()}}}}}\n{options}"
            for m, options in (
                ("PLAIN", f"  server_prompts = :\n  server_condition = ${{if "
                 f"and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}"
                 f"{{{PASSWORD}}}}}}}}}\n  server_set_id = $auth2\n"
                 f"  client_send = ^{USER}^{PASSWORD}\n"),
                ("LOGIN", "  server_prompts = Username:: : Password::\n"
                 f"  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}"
                 f"{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}\n"
                 "  server_set_id = $auth1\n"
                 f"  client_send = : {USER} : {PASSWORD}\n")))


class Exim(Mta):
    name = "Exim"
    mechanisms = ["PLAIN", "LOGIN"]

    def make(self, folder):
        peer = MatrixExim(self, NAME, self.world.cache, folder, "127.0.0.1",
                          self.port, self.world.identity)
        got = subprocess.run([peer.program, "-C", peer.config, "-bV"],
                             env=peer.env, capture_output=True, text=True,
                             timeout=20)
        self.release = re.search(r"version (\S+)",
                                 got.stdout + got.stderr)[1]
        return peer


class EximServer(Exim):
    lacks = {"LMTP": "Exim has an LMTP client and no LMTP server"}
