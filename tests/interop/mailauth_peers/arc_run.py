#!/usr/bin/python3
"""ARC among the implementations that people run, in every direction.

    arc_run.py ONWARD BUILD DIFFERENCES [--write] [--why]

Each message of arc_chains.py is sealed by each peer, sealed again by another
and once more by a third, each saying of the chain what it found itself. What is
changed between two seals, or by a sealer after it has looked, or afterwards, is
judged as well. All should seal, and all should agree.

What differs from run.py, which has the rest: the lines of DIFFERENCES are those
whose class begins with "arc", and "signed by" is the way through the sealers,
"dkimpy>onward"; "seal" under "judged by" is one who refused to seal, or did
where nobody should. A * stands for any text: each chain of the run that fits
must differ so. A difference is a verdict that is not ours; where a verdict is
certain, also a wrong one of ours.
"""
import concurrent.futures
import fnmatch
import pathlib
import sys
import tempfile

import run  # before peers, which puts the folder above in front
import arc_chains
import peers


class Chain:
    """A message as it stands, whom it passed, and what it must be: None when
    that depends on who sealed."""

    def __init__(self, kind, number, way, message, want):
        self.kind, self.number, self.way = kind, number, way
        self.message, self.want = message, want

    def key(self, judge):
        return self.kind, self.number, ">".join(self.way), judge


def seal_all(pool, world, jobs):
    """jobs: [(chain, peer, kind, cv, want)]. Chains with one set more, and
    {key: why} of the others."""
    key = world.keys["rsa"]

    def one(job):
        chain, peer, kind, cv, want = job
        try:
            fields = peer.seal(chain.message, key, cv)
        except peers.Refused as error:
            return job, None, str(error)
        return job, fields, None

    # One thread a peer: each is one process, or this one.
    by_peer = {}
    for job in jobs:
        by_peer.setdefault(job[1].name, []).append(job)
    done = [r for part in pool.map(lambda j: list(map(one, j)),
                                   by_peer.values()) for r in part]
    chains, refused = [], {}
    for (chain, peer, kind, cv, want), fields, why in done:
        new = Chain(kind, chain.number, chain.way + [peer.name],
                    None if fields is None else fields + chain.message, want)
        if fields is None:
            refused[new.key("seal")] = why
        else:
            chains.append(new)
    return chains, refused


def judge_all(pool, world, here, chains):
    """{chain: {judge: what it said}}"""
    paths = [(c, world.file(c.message)) for c in chains]
    said = {c: {} for c in chains}

    def one(peer):
        for chain, path in paths:
            said[chain][peer.name] = peer.chain(path)

    list(pool.map(one, here))
    return said


def differences(said):
    found = {}
    for chain, words in said.items():
        ours = words["onward"].split()[0]
        for judge, text in words.items():
            theirs = text.split()[0]
            if theirs != ours or chain.want not in (None, ours):
                found[chain.key(judge)] = (ours, theirs)
    return found


def turn(sealers, chain, step):
    """Whose turn it is after the others, another one for each message."""
    names = [p.name for p in sealers]
    at = names.index(chain.way[-1]) + 1 + (chain.number + step) % len(names)
    return sealers[at % len(names)]


def pairs(sealers, cases):
    """Each after each, over one plain message."""
    plain = next(c for c in cases if c.kind == "plain")
    return [(Chain("", 0, [], plain.message, None), p, q)
            for p in sealers for q in sealers]


def collect(pool, world, here, cases):
    sealers = [p for p in here if p.seals]
    found, all_said, all_refused = {}, {}, {}

    def take(chains, refused, should_seal=True):
        said = judge_all(pool, world, here, chains)
        found.update(differences(said))
        all_said.update(said)
        all_refused.update(refused)
        if should_seal:
            found.update({key: ("sealed", "refused") for key in refused})
        else:
            found.update({c.key("seal"): ("refused", "sealed")
                          for c in chains})
        return said

    # One, two and three sets over every message.
    fresh = [Chain("", c.number, [], c.message, None) for c in cases]
    kinds = {id(f): c.kind for f, c in zip(fresh, cases)}
    chains, refused = seal_all(pool, world, [
        (f, p, "arc1 " + kinds[id(f)], None, "pass")
        for f in fresh for p in sealers])
    said = take(chains, refused)
    for level in (2, 3):
        jobs = []
        for chain in chains:
            good = all(w == "pass" for w in said[chain].values())
            jobs.append((chain, turn(sealers, chain, level),
                         f"arc{level} " + chain.kind.split()[1], None,
                         "pass" if good else None))
        chains, refused = seal_all(pool, world, jobs)
        said = take(chains, refused)

    # The body changes after the first seal: the second says that it failed,
    # and after that there is nothing to seal.
    first, _ = seal_all(pool, world, [(c, p, "", None, None)
                                      for c, p, q in pairs(sealers, cases)])
    order = pairs(sealers, cases)
    jobs = []
    for chain, p, q in order:
        one = next(c for c in first if c.way == [p.name])
        broken = Chain("", 0, one.way, one.message + b"changed\r\n", None)
        jobs.append((broken, q, "arc changed-between", None, "fail"))
    failed, refused = seal_all(pool, world, jobs)
    take(failed, refused)
    more, refused = seal_all(pool, world, [
        (c, turn(sealers, c, 1), "arc after-a-failure", None, "fail")
        for c in failed])
    take(more, refused, should_seal=False)

    # A list changes the body and vouches for what it had found: a pass, though
    # the older signature holds no more.
    jobs = []
    for chain, p, q in order:
        if q.takes_cv:
            one = next(c for c in first if c.way == [p.name])
            jobs.append((Chain("", 0, one.way, one.message + b"-- \r\nlist\r\n",
                               None), q, "arc list", "pass", "pass"))
    chains, refused = seal_all(pool, world, jobs)
    take(chains, refused)

    # What is done to two sets afterwards.
    two, _ = seal_all(pool, world, [
        (next(c for c in first if c.way == [p.name]), q, "", None, None)
        for chain, p, q in order])
    chains = [Chain("arc " + name, 0, c.way, change(c.message), want)
              for c in two for name, want, change in arc_chains.CHANGES]
    take(chains, {})
    return found, all_said, all_refused


def expand(path, said, refused):
    """The list as {key: (ours, theirs)}, of what was there to differ; and
    lines that say nothing of this run."""
    there = [c.key(j) for c, words in said.items() for j in words]
    there += [c.key("seal") for c in said] + list(refused)
    listed, idle = {}, []
    for at, kind, numbers, ways, judges, ours, theirs, _ in run.read_rows(
            path, True):
        fits = [k for k in there
                if fnmatch.fnmatchcase(k[0], kind)
                and (numbers == "*" or str(k[1]) in numbers.split(","))
                and any(fnmatch.fnmatchcase(k[2], w) for w in ways.split(", "))
                and k[3] in judges.split(", ")]
        for key in fits:
            if key in listed:
                sys.exit(f"{path.name}:{at}: {key} is listed twice")
            listed[key] = (ours, theirs)
        if not fits:
            idle.append((at, set(judges.split(", "))
                         | {n for w in ways.split(", ") for n in w.split(">")}))
    return listed, idle


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    tool, path = args[0], pathlib.Path(args[2])
    build = pathlib.Path(args[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        world = peers.World(pathlib.Path(folder))
        here, missing = peers.gather(world, tool, None, build)
        for peer in [p for p in here if not hasattr(p, "chain")]:
            peer.close()
            here.remove(peer)
        for name, why in missing.items():
            if name != "OpenDKIM":  # knows nothing of ARC
                print(f"skipped: {name}: {why}")
        if len(here) < 2:
            sys.exit(77)
        cases = arc_chains.cases()
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                found, said, refused = collect(pool, world, here, cases)
        finally:
            for peer in here:
                peer.close()
    if "--write" in sys.argv:
        print("\n".join(run.as_lines(found, arc_chains.EACH)))
    if "--why" in sys.argv:
        for key, why in refused.items():
            print(*key, "would not seal:", why)
        for chain, words in said.items():
            for judge, text in words.items():
                if chain.key(judge) in found:
                    print(*chain.key(judge), "said", text)
    listed, idle = expand(path, said, refused)
    faults = run.compare(found, listed, lambda key: True)
    known = {p.name for p in here} | {"seal", "*"}
    for at, names in idle:
        if names <= known:
            faults["line", at] = f"{path.name}:{at}: nothing is like that"
    print("\n".join(list(faults.values())[:40]))
    print(f"{len(said)} chains and {sum(map(len, said.values()))} verdicts of "
          + ", ".join(p.name for p in here) + f"; {len(found)} differences")
    kinds = {c.kind for c in said}
    wrong = {key[0] for key in faults}
    print(f"[  PASSED  ] {len(kinds - wrong)} test(s).")
    if faults:
        print(f"[  FAILED  ] {len(wrong)} test(s).")
        sys.exit(1)


if __name__ == "__main__":
    main()
