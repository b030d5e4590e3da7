#!/usr/bin/env python3
"""terminal.py ONWARD: what the tool does for people. Colour and progress on a
terminal (that of script(1)), and not one escape elsewhere; completions, in a
bash and a zsh."""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

from cli import Count, Folder

folder = Folder(sys.argv[1])
count = Count()
LIMIT = 60  # seconds, for what a person would see at once
ESCAPE = b"\x1b"
# Before an example of --help deletes it.
ONE = (folder.path / "spool/messages/0658d4f3e6a800-1f2e3d4c").read_bytes()


def section(text, name):
    found = re.search(rf"^{name}:\n((?:  .*\n)+)", text, re.M)
    return found.group(1).splitlines() if found else []


def help_of(*words):
    return folder.run([*words, "--help"]).stdout.decode()


COMMANDS = [re.match(r"  (\S+(?: \S+)?)  ", line).group(1)
            for line in section(help_of(), "Commands")]
OPTIONS = {command: re.findall(r"^  (--[a-z0-9-]+)",
                               "\n".join(section(help_of(*command.split()),
                                                 "Options")) + "\n", re.M)
           for command in COMMANDS}


# ---- Colour ---------------------------------------------------------------

def on_terminal(line, **more):
    """The line under script(1): all that came to the terminal."""
    env = {**folder.env, "TERM": "xterm", "SHELL": "/bin/sh", **more}
    return subprocess.run(["script", "-qec", line, "/dev/null"], env=env,
                          cwd=folder.path, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=LIMIT).stdout


def piped(line, **more):
    done = subprocess.run(["sh", "-c", line],
                          env={**folder.env, "TERM": "xterm", **more},
                          cwd=folder.path, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=LIMIT)
    return done.stdout + done.stderr


GOOD, BAD, WARN, OFF = b"\x1b[32m", b"\x1b[1;31m", b"\x1b[33m", b"\x1b[0m"
(folder.path / "changed.eml").write_bytes(
    (folder.path / "signed.eml").read_bytes().replace(b"noon", b"one"))
ID = "--authserv-id mx.example.net"
COLOURS = {
    f"onward verify --dns zone.txt {ID} signed.eml":
        b"dkim=" + GOOD + b"pass" + OFF,
    f"onward verify --dns zone.txt {ID} changed.eml":
        b"dkim=" + BAD + b"fail" + OFF,
    "onward explain --dns zone.txt changed.eml": BAD + b"fail" + OFF,
    "onward spf check --ip 192.0.2.1 --mail-from a@example.com --dns zone.txt":
        b"result: " + GOOD + b"pass" + OFF,
    "onward spf check --ip 192.0.2.9 --mail-from a@example.com --dns zone.txt":
        b"result: " + BAD + b"fail" + OFF,
    "onward dmarc check --from example.com --dns zone.txt":
        b"result: " + GOOD + b"found" + OFF,
    "onward mta-sts check example.com --dns zone.txt --policy mta-sts.txt":
        b"result: " + GOOD + b"policy" + OFF,
    "onward lint spf example.com --dns zone.txt": GOOD + b"no fault" + OFF,
    "echo 'v=DMARC1; p=rejct' | onward lint dmarc -": WARN,
    "onward doctor example.com --dns zone.txt": GOOD + b"ok" + OFF,
    "onward route --rules rules.json nobody@example.com": WARN + b"drop" + OFF,
    "onward route --rules rules.json sales@example.com":
        GOOD + b"forward" + OFF,
    "onward route --rules rules.json nobody@elsewhere.example":
        BAD + b"reject" + OFF,
    "onward rules diff rules.json rules-new.json": GOOD + b"added" + OFF,
    "onward verify absent.eml": BAD + b"onward verify:" + OFF,
    "onward verify --nonsense": BAD + b"onward verify:" + OFF,
    "onward nonsense": BAD + b"onward:" + OFF,
    "onward queue list --spool spool": WARN,
}
for line, want in COLOURS.items():
    got = on_terminal(line)
    count.check("on a terminal: " + line, [] if want in got else [repr(got)])
    for name, got in (
            ("piped", piped(line)),
            ("NO_COLOR", on_terminal(line, NO_COLOR="1")),
            ("TERM=dumb", on_terminal(line, TERM="dumb"))):
        count.check(f"{name}: {line}", [repr(got)] if ESCAPE in got else [])
line = next(iter(COLOURS))
for name, got, want in (
        ("always, piped", piped(line + " --color always"), True),
        ("always, NO_COLOR", piped(line + " --color=always", NO_COLOR="1"),
         True),
        ("never", on_terminal(line + " --color never"), False),
        ("auto", on_terminal(line + " --color auto"), True),
        ("an empty NO_COLOR is none", on_terminal(line, NO_COLOR=""), True),
        ("JSON", on_terminal(line + " --json"), False),
        ("JSON, always", piped(line + " --json --color always"), False)):
    count.check("--color: " + name,
                [] if (ESCAPE in got) == want else [repr(got)])
for command in COMMANDS:
    for example in section(help_of(*command.split()), "Examples"):
        for name, got in (("piped", piped(example)),
                          ("NO_COLOR", on_terminal(example, NO_COLOR="1"))):
            count.check(f"no escape, {name}: {example.strip()}",
                        [repr(got)] if ESCAPE in got else [])

# ---- Progress -------------------------------------------------------------

REPORT = (folder.path / "report.xml").read_bytes()
TLS_REPORT = (folder.path / "tls-report.json").read_bytes()
for n in range(25):
    (folder.path / f"r{n}.xml").write_bytes(REPORT)
    (folder.path / f"t{n}.json").write_bytes(TLS_REPORT)
    (folder.path / f"m{n}.eml").write_bytes(
        (folder.path / "message.eml").read_bytes())
MAIL = b"From a@example.com Sun Nov 22 12:00:00 2026\n" + \
    (folder.path / "message.eml").read_bytes() + b"\n"
(folder.path / "big.mbox").write_bytes(MAIL * (1200000 // len(MAIL)))
(folder.path / "full").mkdir()
for name in ("messages", "new", "damaged", "requests"):
    (folder.path / "full" / name).mkdir()
for n in range(250):
    (folder.path / f"full/messages/0658d4f3e6a800-{n:08x}").write_bytes(ONE)
(folder.path / "big.json").write_text(json.dumps({
    "version": 1, "zones": [{"name": "example.com", "rules": [
        {"name": f"rule {n}",
         "matchers": [{"type": "literal", "field": "to",
                       "value": f"u{n}@example.com"}],
         "actions": [{"type": "drop"}]} for n in range(12000)]}],
    "addresses": []}))
PROGRESS = {
    "onward dmarc report r[0-9]*.xml > out": b"reading reports: 0 of 25 files",
    "onward tlsrpt report t[0-9]*.json > out": b"reading reports: 0 of 25 files",
    "onward verify --dns zone.txt m[0-9]*.eml > out": b"reading: 0 of 25 files",
    "onward mime parse --mbox big.mbox > out": b"reading the mbox: 0%",
    "onward queue list --spool full > out":
        b"reading the spool: 0 of 250 messages",
    "onward rules check big.json": b"reading big.json: ",
    "onward rules compile big.json big.image": b"writing: ",
}
for line, want in PROGRESS.items():
    faults = []
    for env in ({}, {"NO_COLOR": "1"}):
        got = on_terminal(line, **env)
        # Each line of progress is written over, the last one by blanks.
        if want not in got or ESCAPE in got:
            faults.append(f"{env}: {got!r}")
        rest = got.replace(b"\r\n", b"\n").split(b"\r")[-1]
        if b"reading" in rest or b"writing" in rest:
            faults.append(f"{env}: not taken off: {got!r}")
    for got in (on_terminal(line, TERM="dumb"), piped(line)):
        if want in got or b"\r" in got.replace(b"\r\n", b"\n"):
            faults.append(f"no terminal: {got!r}")
    count.check("progress: " + line, faults)
got = on_terminal("onward verify --dns zone.txt m[0-9]*.eml absent.eml > out")
count.check("an error has a line of its own", [] if re.search(
    rb"\r +\r\x1b\[1;31monward verify:\x1b\[0m absent.eml: No such file[^\r]*"
    rb"\r\n", got) else [repr(got)])
got = on_terminal("onward dmarc report report.xml > out")
count.check("little work has none", [repr(got)] if got else [])
got = on_terminal("onward dmarc report r[0-9]*.xml")
count.check("results on the terminal show it themselves",
            [repr(got)] if b"reading" in got else [])

# ---- Completion -----------------------------------------------------------


class Shell:
    """An interactive shell on a terminal of its own, wide enough for lists."""

    def __init__(self, argv, begin):
        env = {**folder.env, "TERM": "vt100", "PS1": "> ", "COLUMNS": "400",
               "LINES": "200", "HOME": str(folder.path), "LC_ALL": "C.UTF-8"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder.path)
            os.execvpe(argv[0], argv, env)
        self.send("stty rows 200 cols 400; " + begin + "; echo rea''dy\r")
        self.seen = self.until(["ready"])

    def send(self, text):
        os.write(self.fd, text.encode())

    def until(self, words):
        """What came, once all words are in it, or after the limit."""
        seen = ""
        limit = time.monotonic() + LIMIT
        while not all(word in seen for word in words):
            left = limit - time.monotonic()
            if left < 0 or not select.select([self.fd], [], [], left)[0]:
                break
            try:
                seen += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                break
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x07\r]", "", seen)

    def complete(self, line, words):
        """The faults: words that two tabs behind the line do not show."""
        self.send(line + "\t\t")
        seen = self.until(words)
        self.send("\x15")  # give the line up
        missing = [word for word in words if word not in seen]
        return [f"{missing} not in {seen[-2000:]!r}"] if missing else []

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def scripts(shell):
    path = folder.path / ("_onward" if shell == "zsh" else "onward.bash")
    path.write_bytes(folder.run(["completion", shell]).stdout)
    return path


def try_shell(name, argv, begin):
    if not shutil.which(argv[0]):
        print(f"skipped: completion in {name}, which is not there")
        return
    shell = Shell(argv, begin)
    groups = {}
    for command in COMMANDS:
        first, *second = command.split()
        groups.setdefault(first, []).extend(second)
    count.check(f"{name}: commands", shell.complete("onward ", list(groups)))
    for first, second in groups.items():
        if len(second) > 1:
            count.check(f"{name}: onward {first}",
                        shell.complete(f"onward {first} ", second))
        elif second:
            count.check(f"{name}: onward {first}",
                        shell.complete(f"onward {first} ",
                                       [f"onward {first} {second[0]}"]))
    for command, options in OPTIONS.items():
        count.check(f"{name}: options of {command}",
                    shell.complete(f"onward {command} --", options))
    for line, words in (
            ("onward keygen --type ", ["rsa", "ed25519"]),
            ("onward verify --color ", ["auto", "always", "never"]),
            ("onward mta-sts publish --mode ", ["enforce", "testing", "none"]),
            ("onward completion ", ["bash", "zsh"]),
            ("onward verify sig", ["signed.eml"]),
            ("onward verify --dns zon", ["zone.txt"])):
        count.check(f"{name}: {line}", shell.complete(line, words))
    shell.close()


try_shell("bash", ["bash", "--norc", "--noprofile", "-i"],
          f"bind 'set completion-query-items 0'; bind 'set page-completions "
          f"off'; bind 'set enable-bracketed-paste off'; "
          f"source {scripts('bash')}")
try_shell("zsh", ["zsh", "-f", "-i"],
          f"PS1='> '; LISTMAX=0; setopt nobeep; autoload -Uz compinit; "
          f"compinit -u -D; source {scripts('zsh')}")
for shell, place in (("bash", "share/bash-completion/completions/onward"),
                     ("zsh", "share/zsh/site-functions/_onward")):
    made = pathlib.Path(sys.argv[1]).parent / "completion" / place.split("/")[-1]
    count.check(f"what is installed for {shell}",
                [] if made.exists() and made.read_bytes()
                == scripts(shell).read_bytes() else [f"{made}"])
count.finish()
