#!/usr/bin/env python3
"""bad.py PROGRAM [NAME...]: broken configurations. Each file of bad/ has a
NAME.expect beside it: the exit status, and the one line that must be said.
Nothing may be printed on standard output. With and without --check."""
import shutil
import sys

from forwarder import HERE, Forwarder, equal, make_certificate


def make_files(folder):
    """What the configurations name."""
    make_certificate(folder, "tls", "mx.zone.example")
    make_certificate(folder, "another", "mx.zone.example")
    (folder / "folder").mkdir()
    (folder / "empty.txt").write_bytes(b"")
    (folder / "broken.json").write_text('{"version": 1,\n "zones": [}\n')
    (folder / "broken.txt").write_text("zone.example. 60 IN A 127.0.0.1\n"
                                       "zone.example. 60 IN A 127.0.0\n")


def check(f, path):
    shutil.copy(path, f.path / path.name)
    status, message = (path.parent / (path.name + ".expect")
                       ).read_text().splitlines()
    for more in (["--check"], []):
        done = f.run("--config", path.name, *more)
        equal((done.returncode, done.stderr.decode(), done.stdout),
              (int(status), f"onward-forwarder: {message}\n", b""))


def main():
    good = bad = 0
    with Forwarder(sys.argv[1]) as f:
        make_files(f.path)
        for path in sorted((HERE / "bad").glob("*.conf")):
            if sys.argv[2:] and path.name not in sys.argv[2:]:
                continue
            try:
                check(f, path)
                good += 1
            except AssertionError as e:
                bad += 1
                print(f"{path.name}: {e}")
    print(f"[  PASSED  ] {good} test(s).")
    if bad or not good:
        print(f"[  FAILED  ] {bad} test(s).")
        sys.exit(1)


main()
