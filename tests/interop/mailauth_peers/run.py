#!/usr/bin/python3
"""DKIM among the implementations that people run, in every direction.

    run.py ONWARD BUILD DIFFERENCES [OPENDKIM] [--write]

Each message of messages.py is signed by each peer and judged by all; what was
changed after signing is judged too. All should sign, all should take what was
signed, nobody should take what was changed. Where one does not, that is a
difference, and each stands in DIFFERENCES with the section that decides. The
run fails on one that is not listed and on a listed one that does not occur.
--write prints the list as it would have to be, to be read and judged before it
is put there.

Lines of DIFFERENCES are

    class NUMBERS | signed by | judged by | ours | theirs | section: why

"sign" under "judged by": a peer that would not sign at all. `changed` in front
of the class: after a change. Peers that are not here are left out of both
sides. Exit 77: none is here.
"""
import concurrent.futures
import pathlib
import sys
import tempfile

import messages
import peers


def sign_all(world, here, cases):
    """{(case, peer): signed message}, and {(case, peer): why not}."""
    signed, refused = {}, {}

    def one(peer):
        for case in cases:
            if case.key not in peer.signs:
                continue
            try:
                canon = peer.canon or case.canon
                field = peer.sign(case.message, canon, world.keys[case.key])
                signed[case, peer.name] = field + case.message
            except peers.Refused as error:
                refused[case, peer.name] = str(error)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(one, here))
    return signed, refused


def judge_all(world, here, jobs):
    """jobs: [(case, signer, selector, path)]. {(case, signer, judge): said}."""
    said = {}

    def one(peer):
        for case, signer, selector, path in jobs:
            if case.key in peer.verifies:
                said[case, signer, peer.name] = peer.verify(path, selector)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(one, here))
    return said


def differences(said, expected, prefix=""):
    """{(class, number, signer, judge): (ours, theirs)}"""
    found = {}
    for (case, signer, judge), text in said.items():
        ours = said[case, signer, "onward"].split()[0]
        theirs = text.split()[0]
        if judge != "onward" and (ours, theirs) != (expected, expected):
            found[prefix + case.kind, case.number, signer, judge] = (ours,
                                                                     theirs)
    return found


def collect(world, here, cases):
    signed, refused = sign_all(world, here, cases)
    found = {}
    for (case, signer), why in refused.items():
        ours = "refused" if (case, "onward") in refused else "signed"
        found[case.kind, case.number, signer, "sign"] = (ours, "refused")
    jobs = [(case, signer, world.keys[case.key].selector, world.file(message))
            for (case, signer), message in signed.items()]
    said = judge_all(world, here, jobs)
    found.update(differences(said, "pass"))
    jobs = []
    for (case, signer), message in signed.items():
        other = messages.changed(message, case.number)
        if signer == "onward" and other not in (None, message):
            jobs.append((case, signer, world.keys[case.key].selector,
                         world.file(other)))
    changed = judge_all(world, here, jobs)
    found.update(differences(changed, "fail", "changed "))
    return found, len(signed), len(said) + len(changed), refused, said


def numbers_text(numbers, each=messages.EACH):
    numbers = sorted(numbers)
    if numbers == list(range(each)):
        return "*"
    return ",".join(map(str, numbers))


def numbers_of(text):
    if text == "*":
        return list(range(messages.EACH))
    return [int(n) for n in text.split(",")]


def as_lines(found, each=messages.EACH):
    """The fewest lines that name these differences and no others."""
    by_signer = {}
    for (kind, number, signer, judge), verdict in found.items():
        by_signer.setdefault((kind, judge, verdict, signer), set()).add(number)
    rows = {}
    for (kind, judge, verdict, signer), numbers in by_signer.items():
        rows.setdefault((kind, judge, verdict, numbers_text(numbers, each)),
                        []).append(signer)
    merged = {}
    for (kind, judge, verdict, numbers), signers in rows.items():
        merged.setdefault((kind, verdict, numbers, tuple(sorted(signers))),
                          []).append(judge)
    return [
        " | ".join((f"{kind} {numbers}", ", ".join(signers),
                    ", ".join(sorted(judges)), *verdict))
        for (kind, verdict, numbers, signers), judges in sorted(merged.items())
    ]


def read_rows(path, wants_arc):
    """Of signatures, or of chains: their classes begin with "arc"."""
    for at, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "mime ", "built ")):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 6 or not cells[5]:
            sys.exit(f"{path.name}:{at}: expected six cells, got {len(cells)}")
        if cells[0].startswith("arc") == wants_arc:
            yield at, *cells[0].rsplit(" ", 1), *cells[1:]


def read_list(path):
    listed = {}
    for at, kind, numbers, signers, judges, ours, theirs, _ in read_rows(
            path, False):
        for number in numbers_of(numbers):
            for signer in signers.split(", "):
                for judge in judges.split(", "):
                    key = kind, number, signer, judge
                    if key in listed:
                        sys.exit(f"{path.name}:{at}: {key} is listed twice")
                    listed[key] = (ours, theirs)
    return listed


def compare(found, listed, is_here):
    """{key: what is wrong}; is_here(key): are those of that key here?"""
    listed = {k: v for k, v in listed.items() if is_here(k)}
    faults = {}
    for key in sorted(found.keys() | listed.keys()):
        if key not in listed:
            faults[key] = (f"not listed: {key}: ours {found[key][0]}, "
                           f"theirs {found[key][1]}")
        elif key not in found:
            faults[key] = f"listed, but does not occur: {key}"
        elif found[key] != listed[key]:
            faults[key] = f"listed as {listed[key]}: {key}: {found[key]}"
    return faults


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    tool, path = args[0], pathlib.Path(args[2])
    build = pathlib.Path(args[1]).resolve()
    opendkim = args[3] if len(args) > 3 else None
    with tempfile.TemporaryDirectory() as folder:
        world = peers.World(pathlib.Path(folder))
        here, missing = peers.gather(world, tool, opendkim, build)
        for name, why in missing.items():
            print(f"skipped: {name}: {why}")
        if len(here) < 2:
            sys.exit(77)
        cases = messages.cases()
        try:
            found, signed, judged, refused, said = collect(world, here, cases)
        finally:
            for peer in here:
                peer.close()
    if "--write" in sys.argv:
        print("\n".join(as_lines(found)))
    if "--why" in sys.argv:
        for (case, signer), why in refused.items():
            print(case.name, signer, "would not sign:", why)
        for (case, signer, judge), text in said.items():
            if text != "pass":
                print(case.name, case.canon, signer, judge, text)
    known = {p.name for p in here} | {"sign"}
    faults = compare(found, read_list(path),
                     lambda k: {k[2], k[3]} <= known)
    print("\n".join(list(faults.values())[:40]))
    print(f"{len(cases)} messages, {signed} signatures and {judged} verdicts "
          f"of " + ", ".join(p.name for p in here)
          + f"; {len(found)} differences")
    wrong = {key[:2] for key in faults}
    print(f"[  PASSED  ] {len(cases) - len(wrong)} test(s).")
    if faults:
        print(f"[  FAILED  ] {len(wrong)} test(s).")
        sys.exit(1)


if __name__ == "__main__":
    main()
