#!/usr/bin/env python3
"""start.py [--write] NAME=PROGRAM...: the page for newcomers, run from its
first command to its last in one folder, as one shell would: in a network
namespace where its addresses and ports are ours, with a mailbox behind them.
--write puts what the commands print into the page."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import guide

sys.path.insert(0, str(guide.ROOT / "tests/inet"))
import net  # noqa: E402

PAGE = guide.PAGES / guide.STORY
# Not of documentation: the forwarder connects to no such address.
MAILBOX = "11.22.33.44"
LIMIT = 60  # seconds, of one command


def set_up():
    """Loopback, and the addresses of the page."""
    for words in (["link", "set", "lo", "up"],
                  ["addr", "add", "192.0.2.1/32", "dev", "lo"],
                  ["addr", "add", MAILBOX + "/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)


def start_mailbox(folder):
    (folder / "mailbox").mkdir()
    sink = subprocess.Popen(
        [folder / "bin/onward-sink", "--folder", folder / "mailbox",
         "--listen", MAILBOX + ":25", "--name", "mx.mailbox.example"],
        stdout=subprocess.PIPE)
    assert sink.stdout.readline().startswith(b"ready "), "no mailbox"
    return sink


class Shell:
    """One shell for all commands, so that those with & live on."""

    def __init__(self, folder):
        env = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}",
                   LC_ALL="C.UTF-8", TZ="UTC", ASAN_OPTIONS="detect_leaks=0")
        self.out = folder / ".out"
        self.done = folder / ".done"
        self.process = subprocess.Popen(["sh"], cwd=folder, env=env,
                                        stdin=subprocess.PIPE)

    def run(self, command):
        """What the command prints, standard error too."""
        self.done.unlink(missing_ok=True)
        end = "" if command.endswith("&") else ";"
        self.process.stdin.write(
            f"{{ {command} {end} }} > .out 2>&1 < /dev/null\n"
            ": > .done\n".encode())
        self.process.stdin.flush()
        limit = time.monotonic() + LIMIT
        while not self.done.exists():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"no end of: {command}\n"
                                   + self.out.read_text(errors="replace"))
            time.sleep(0.02)
        text = self.out.read_text(errors="replace").replace("\r\n", "\n")
        # A new id of an MTA-STS policy is the time.
        text = re.sub(r"id=20(?!261122000000)\d{12}Z", "id=20261123000000Z", text)
        return text if text.endswith("\n") or not text else text + "\n"


def played(block, shell):
    result = ""
    command = None
    for line in block.splitlines():
        if line.startswith("$ "):
            command = line[2:]
        elif command is not None and command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            continue
        result += line + "\n"
        if not command.endswith("\\"):
            result += shell.run(command)
    return result


def inside(programs):
    faults = []
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "bin").mkdir()
        for name, program in programs.items():
            (folder / "bin" / name).symlink_to(os.path.abspath(program))
        for path in (guide.PROGRAMS / "start").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        set_up()
        sink = start_mailbox(folder)
        shell = Shell(folder)

        def console(match):
            now = played(match[2], shell)
            if now != match[2]:
                faults.append(f"shown is\n{match[2]}printed is\n{now}")
            return match[1] + now + match[3]

        try:
            now = guide.CONSOLE.sub(console, text)
        except RuntimeError as error:
            faults.append(str(error))
            now = text
        shell.process.kill()  # what it began ends with the namespace
        sink.kill()
        for name in ("forwarder.log", "forwarder.out", "policyd.out"):
            if faults and (folder / name).exists():
                faults.append(name + ":\n" + (folder / name).read_text())
    if "--write" in sys.argv:
        PAGE.write_text(now)
    print("\n".join(faults) or "the page for newcomers is as it says")
    return 1 if faults and "--write" not in sys.argv else 0


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    why = net.why_not()
    if net.is_inside():
        sys.exit(inside(dict(word.split("=", 1) for word in words)))
    if why is not None:
        print("skipped:", why)
        sys.exit(77)
    sys.exit(net.enter())


main()
