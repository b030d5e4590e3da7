#!/usr/bin/env python3
"""Compare the engine of lib/ruleset/pattern*.c with others.

    pattern_peers.py TOOL [COUNT]

Patterns and subjects are made at random from a fixed seed, so each run sees the
same ones. Python's `re` and, where it is there, Perl say what matches and where
each capture is; globs are compared with a translation of them for `re`. What
must differ is listed in EMPTY_LOOPS below; nothing else may.
"""
import random
import re
import shutil
import subprocess
import sys

SEED = 7
ALPHABET = "aab@.-_A1 \n"
FOLD, WHOLE = 1, 2

# A repetition of what can be empty: backtracking engines differ among
# themselves in the captures of its last, empty round (Perl and Python take one,
# RE2 does not). There, only whether it matches is compared.
EMPTY_LOOPS = "whether it matches"

PERL = r"""
use strict; use warnings; no warnings 'regexp';
binmode STDIN; $| = 0;
while (my $line = <STDIN>) {
    my ($flags, $pattern, $subject) = split ' ', $line;
    for ($pattern, $subject) { $_ = $_ eq '-' ? '' : pack('H*', $_) }
    my $re = $flags & 1 ? qr/$pattern/ai : qr/$pattern/a;
    if ($subject =~ $re) {
        my @all = map { defined $-[$_] ? "$-[$_]-$+[$_]" : '-' } 0 .. $#+;
        print "yes @all\n";
    } else {
        print "no\n";
    }
}
"""


class Maker:
    """A random expression: text for us and for the others."""

    def __init__(self, rng):
        self.rng = rng
        self.groups = 0
        self.has_empty_loop = False

    def literal(self):
        c = self.rng.choice("aaabb@.-1A_")
        return re.escape(c) if c in ".-@" else c

    def one_class(self):
        rng = self.rng
        items = rng.sample(["a", "b", "a-c", "0-9", "A-Z", r"\d", r"\w", r"\s",
                            r"\.", "@", "_", r"\n", r"\x61"], rng.randint(1, 3))
        return "[" + ("^" if rng.random() < 0.3 else "") + "".join(items) + "]"

    def atom(self, depth):
        """Text, can be empty, can be repeated."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.42:
            return self.literal(), False, True
        if roll < 0.50:
            return ".", False, True
        if roll < 0.60:
            return self.one_class(), False, True
        if roll < 0.66:
            return rng.choice([r"\d", r"\w", r"\s", r"\D", r"\W", r"\S"]), \
                False, True
        if roll < 0.72:
            return rng.choice(["^", "$", r"\b", r"\B"]), True, False
        if depth == 0:
            return self.literal(), False, True
        is_capture = rng.random() < 0.6 and self.groups < 9
        self.groups += is_capture
        inner, empty = self.alternation(depth - 1)
        return ("(" if is_capture else "(?:") + inner + ")", empty, True

    def repeat(self, text, empty):
        rng = self.rng
        roll = rng.random()
        if roll >= 0.4:
            return text, empty
        low, high = rng.randint(0, 3), rng.randint(0, 3)
        marks = [("*", True), ("+", False), ("?", True), ("*", True)]
        # Counted repetitions of repetitions take the others exponential time.
        if re.search(r"[*+?{]", text.replace("(?:", "")) is None:
            marks += [("{%d}" % low, low == 0), ("{%d,}" % low, low == 0),
                      ("{%d,%d}" % (low, low + high), low == 0)]
        mark, can_be_zero = rng.choice(marks)
        if empty:
            self.has_empty_loop = True
        lazy = "?" if rng.random() < 0.3 else ""
        return text + mark + lazy, empty or can_be_zero

    def sequence(self, depth):
        text, empty = "", True
        for _ in range(self.rng.randint(0 if depth < 2 else 1, 4)):
            one, one_empty, may_repeat = self.atom(depth)
            if may_repeat:
                one, one_empty = self.repeat(one, one_empty)
            text += one
            empty = empty and one_empty
        return text, empty

    def alternation(self, depth):
        branches = [self.sequence(depth)
                    for _ in range(self.rng.choice([1, 1, 1, 2, 3]))]
        return ("|".join(text for text, _ in branches),
                any(empty for _, empty in branches))


def subject_of(rng):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 12)))


def glob_of(rng):
    """A glob and the expression that means the same."""
    glob, expression, captures = "", "", 0
    for _ in range(rng.randint(0, 6)):
        wild = rng.choice(["a", "b", "@", ".", "*", "?", "[", "\\"])
        if wild in "*?[":
            text = {"*": "*", "?": "?", "[": "[a-b1]"}[wild]
            means = {"*": r"[\s\S]*?", "?": r"[\s\S]", "[": "[a-b1]"}[wild]
            if wild == "[" and rng.random() < 0.5:
                text, means = "[!a@]", "[^a@]"
            captures += 1
            glob += text
            expression += ("(%s)" if captures <= 9 else "(?:%s)") % means
        elif wild == "\\":
            c = rng.choice("*?[\\a")
            glob += "\\" + c
            expression += re.escape(c)
        else:
            glob += wild
            expression += re.escape(wild)
    return glob, r"\A(?:%s)\Z" % expression


class Case:
    def __init__(self, kind, flags, ours, theirs, subject, loose):
        self.kind, self.flags, self.ours = kind, flags, ours
        self.theirs, self.subject, self.loose = theirs, subject, loose

    def python(self):
        try:
            found = re.compile(self.theirs.encode(),
                               re.I if self.flags & FOLD else 0)
        except re.error as error:
            return "error %s" % error
        match = found.search(self.subject.encode())
        if match is None:
            return "no"
        return " ".join(["yes"] + [
            "%d-%d" % match.span(i) if match.span(i) != (-1, -1) else "-"
            for i in range(found.groups + 1)])


def make_cases(count):
    rng = random.Random(SEED)
    while count > 0:
        flags = rng.choice([0, 0, FOLD, WHOLE])
        if rng.random() < 0.1:
            ours, theirs = glob_of(rng)
            kind, loose = "glob", False
            flags &= FOLD
        else:
            maker = Maker(rng)
            ours, _ = maker.alternation(2)
            if len(ours) > 60:  # those engines take exponential time
                continue
            # Theirs may stand before a last line end.
            theirs = re.sub(r"(?<!\\)\$", r"\\Z", ours)
            if flags & WHOLE:
                theirs = r"\A(?:%s)\Z" % theirs
            kind, loose = "regex", maker.has_empty_loop
        for _ in range(3):
            yield Case(kind, flags, ours, theirs, subject_of(rng), loose)
            count -= 1


def hexed(text):
    return text.encode().hex() or "-"


def run(command, lines):
    done = subprocess.run(command, input="".join(lines), text=True,
                          stdout=subprocess.PIPE, check=True, timeout=100)
    return done.stdout.splitlines()


def trimmed(answer):
    """Perl leaves captures off the end that took no part."""
    words = answer.split()
    while words[-1] == "-":
        words.pop()
    return words


def is_same(ours, theirs, loose):
    if loose:
        return ours.split()[0] == theirs.split()[0]
    return trimmed(ours) == trimmed(theirs)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 30000
    cases = list(make_cases(count))
    ours = run([sys.argv[1]], ["%s %d %s %s\n" % (
        c.kind, c.flags, hexed(c.ours), hexed(c.subject)) for c in cases])
    peers = [("python", [c.python() for c in cases])]
    if shutil.which("perl") is not None:
        peers.append(("perl", run(["perl", "-e", PERL], ["%d %s %s\n" % (
            c.flags, hexed(c.theirs.replace(r"\Z", r"\z")), hexed(c.subject))
            for c in cases])))
    wrong = matches = strict = 0
    for i, case in enumerate(cases):
        matches += ours[i].startswith("yes")
        strict += not case.loose
        answers = [(name, said[i]) for name, said in peers]
        # Where the peers disagree, ours has to be with one of them.
        if any(is_same(ours[i], said, case.loose) for _, said in answers):
            continue
        wrong += 1
        if wrong <= 20:
            print("%s %d %r %r: ours %s, %s" % (
                case.kind, case.flags, case.ours, case.subject, ours[i],
                ", ".join("%s %s" % pair for pair in answers)))
    split = 0
    if len(peers) == 2:
        split = sum(not is_same(a, b, c.loose)
                    for a, b, c in zip(peers[0][1], peers[1][1], cases))
    print("%d pairs, %d match, %d with captures compared, peers %s, "
          "of which %d times they differ; %d wrong" % (
              len(cases), matches, strict,
              " and ".join(name for name, _ in peers), split, wrong))
    assert len(ours) == len(cases) and matches > len(cases) // 10
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
