#!/usr/bin/env python3
"""bad.py ONWARD: broken keys, rules, DNS files, secrets, reports and
command lines. Each
file of bad/ has a NAME.expect beside it: the exit status, and the one line that
must be said (before the word about --help). Nothing may be printed on standard
output."""
import shutil
import sys

from cli import HERE, Count, Folder

# How a file of that kind gets to the program.
KINDS = {
    ".pem": "onward sign --key {} --domain example.com --selector sel "
            "message.eml",
    ".json": "onward route --rules {} me@example.com",
    ".dns": "onward dmarc check --from example.com --dns {}",
    ".secrets": "onward srs forward --secret-file {} "
                "--domain fwd.example.net alice@example.com",
    ".xml": "onward dmarc report {}",
    ".gz": "onward dmarc report {}",
    ".zip": "onward dmarc report {}",
    ".eml": "onward dmarc report {}",
    ".args": None,
}


def faults_of(done, status, message):
    said = done.stderr.decode().splitlines()
    if said and said[-1].startswith("Try: onward "):
        said.pop()
    if done.returncode != status:
        yield f"exit status {done.returncode}, expected {status}"
    if said[:1] != [message]:
        yield f"said:     {said[0] if said else ''}"
        yield f"expected: {message}"
    if done.stdout:
        yield f"printed {done.stdout!r}"


def main():
    folder = Folder(sys.argv[1])
    count = Count()
    for path in sorted((HERE / "bad").iterdir()):
        if path.suffix == ".expect" or path.name == "README":
            continue
        if path.suffix not in KINDS:
            count.check(path.name, ["no kind of file that is run"])
            continue
        status, message = (path.parent / (path.name + ".expect")
                           ).read_text().splitlines()
        if path.suffix == ".args":
            line = "onward " + path.read_text()
        else:
            shutil.copy(path, folder.path / path.name)
            line = KINDS[path.suffix].format(path.name)
        count.check(path.name, list(faults_of(folder.shell(line), int(status),
                                              message)))
    count.finish()


main()
