#!/usr/bin/env python3
"""objects.py ONWARD: with --json each command that prints results prints JSON,
one object a line, which says "v": 1 first, has no key twice and names in one
style. A command that is in neither list here fails."""
import json
import re
import sys

from cli import Count, Folder

folder = Folder(sys.argv[1])
folder.fill_ticket()
count = Count()
ID = "0658d4f3e6a800-1f2e3d4c"
# These print mail, or a script: nothing to be taken apart.
OTHERS = {"sign", "seal", "mime build", "completion"}
# How each is called; {} stands for the command.
LINES = {
    "doctor": ["{} example.com --dns zone.txt",
               "{} nowhere.example --dns zone.txt"],
    "verify": ["{} --dns zone.txt signed.eml message.eml",
               "{} --dns zone.txt absent.eml"],
    "explain": ["{} --dns zone.txt signed.eml"],
    "keygen": ["{} --domain example.com --selector j --type ed25519 --out j"],
    "lint spf": ["{} example.com --dns zone.txt",
                 "echo 'v=spf1 a:' | {} -"],
    "lint dkim": ["{} sel._domainkey.example.com --dns zone.txt"],
    "lint dmarc": ["{} example.com --dns zone.txt"],
    "lint mta-sts": ["{} example.com --dns zone.txt"],
    "lint tlsrpt": ["{} example.com --dns zone.txt"],
    "spf check": ["{} --ip 192.0.2.1 --mail-from a@example.com --trace "
                  "--received-spf --dns zone.txt"],
    "dmarc check": ["{} --from example.com --dns zone.txt",
                    "{} --from nowhere.example --dns zone.txt"],
    "dmarc report": ["{} report.xml old-report.xml"],
    "mta-sts check": ["{} example.com --dns zone.txt --policy mta-sts.txt"],
    "mta-sts parse": ["{} mta-sts.txt"],
    "mta-sts publish": ["{} --mode none example.com"],
    "route": ["{} --rules rules.json sales@example.com none@example.org",
              "{} --rules rules.json --explain --trace sales@example.com",
              "{} --rules rules.json @"],
    "rules compile": ["{} rules.json rules.image"],
    "rules check": ["{} rules.json rules-new.json"],
    "rules diff": ["{} rules.json rules-new.json"],
    "event": ["{} --from a@example.com --to sales@example.com --rules "
              "rules.json --ip 192.0.2.1 --dns zone.txt message.eml"],
    "srs forward": ["{} --secret-file secrets.txt --domain fwd.example.net "
                    "a@example.com ''"],
    "srs reverse": ["{} --secret-file secrets.txt --domain fwd.example.net "
                    "--time 1700000000 "
                    "SRS0=Qt3v=G3=example.com=alice@fwd.example.net"],
    "mime parse": ["{} message.eml signed.eml"],
    "mime edit": ["{} --dry-run --signed --subject-prefix x signed.eml",
                  "{} --dry-run --footer zone.txt --remove To message.eml"],
    "egress": ["{} example.com --dns zone.txt --policy mta-sts.txt"],
    "dane check": ["{} example.com --dns zone.txt"],
    "dane record": ["{} --cert server.pem mail.example.com."],
    "dsn parse": ["{} bounce.eml message.eml"],
    "tlsrpt report": ["{} tls-report.json"],
    "tlsrpt send": ["{} --dry-run --state state"],
    "queue list": ["{} --spool spool"],
    "queue show": [f"{{}} --spool spool {ID}"],
    "queue hold": [f"{{}} --spool spool {ID}"],
    "queue release": [f"{{}} --spool spool {ID}"],
    "queue retry": [f"{{}} --spool spool {ID}"],
    "queue delete": [f"{{}} --spool spool {ID}"],
    "quarantine list": ["{} --spool spool"],
    "quarantine show": [f"{{}} --spool spool {ID}"],
    "quarantine release": [f"{{}} --spool spool {ID}"],
    "quarantine delete": [f"{{}} --spool spool {ID}"],
    "reply": ["{} --ticket ticket.txt --token-secret tokens.txt --state state "
              "answer.eml"],
    "destinations add": ["{} --state state me@example.net",
                         "{} --state state --link https://a.example "
                         "me@example.net"],
    "destinations list": ["{} --state state"],
    "destinations verify": [
        "{} --state state $(onward destinations add --state state "
        "you@example.net)"],
    "destinations revoke": ["{} --state state me@example.net"],
}
# Those of Cloudflare's log keep their names (see doc/handlers.md).
CAMEL = {"event"}
# What there may be nothing to say of.
MAY_BE_EMPTY = {"tlsrpt send", "quarantine list"}


def once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name twice: {names}")
    return dict(pairs)


def names(value):
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from names(one)
    elif isinstance(value, list):
        for one in value:
            yield from names(one)


def faults_of(command, line):
    done = folder.shell(line)
    text = done.stdout.decode()
    if not text and command not in MAY_BE_EMPTY:
        yield f"printed nothing: {done}"
    if b"unknown option" in done.stderr:
        yield done.stderr.decode()
    for one in text.splitlines():
        try:
            said = json.loads(one, object_pairs_hook=once)
        except ValueError as error:
            yield f"{one!r}: {error}"
            continue
        if not isinstance(said, dict) or next(iter(said.items()), 0) != ("v", 1):
            yield f'does not begin with "v": 1: {one}'
            continue
        odd = {name for name in names(said)
               if not re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", name)}
        if odd and command not in CAMEL:
            yield f"names that are no words: {odd}"


help_text = folder.run(["--help"]).stdout.decode()
table = re.search(r"^Commands:\n((?:  .*\n)+)", help_text, re.M).group(1)
there = set(re.findall(r"^  (\S+(?: \S+)?)  ", table, re.M))
count.check("all commands are here", [
    f"{name}: expected a line that prints JSON"
    for name in sorted(there ^ (OTHERS | set(LINES)))])
for command, lines in LINES.items():
    for line in lines:
        line = line.format(f"onward {command} --json")
        count.check(line, list(faults_of(command, line)))
count.finish()
