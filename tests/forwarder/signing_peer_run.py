"""dkimpy and Mail::DKIM, asked about a message that left."""
import pathlib
import subprocess
import sys

from forwarder import begins, equal

HERE = pathlib.Path(__file__).resolve().parent


def judge(f, octets, want, arc=b"pass"):
    """want: "d s" of each signature, the topmost first; arc: None is any."""
    for program in ("/usr/bin/python3", sys.executable):
        got = subprocess.run([program, HERE / "signing_peer.py",
                              f.path / "zone.txt"], input=octets,
                             capture_output=True, timeout=60)
        if got.returncode != 77:
            break
    if got.returncode == 77:
        print("SKIP: dkimpy:", got.stdout.decode().strip())
    else:
        lines = got.stdout.decode().splitlines()
        if arc is None:
            lines, arc = lines[:-1] + ["arc any"], b"any"
        equal(lines,
              [f"pass {one}" for one in want] + [f"arc {arc.decode()}"])
    perl = subprocess.run(["perl", HERE.parent / "cli" / "mail_dkim.pl", "dkim",
                           f.path / "zone.txt"], input=octets,
                          capture_output=True, timeout=60)
    if perl.returncode == 77:
        print("SKIP: no Mail::DKIM")
    elif want:
        begins(perl.stdout.decode(), "pass")
