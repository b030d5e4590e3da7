#!/usr/bin/env python3
"""Each test that tests/standards/README names is there: the file, the function
in it, and the rows in quotes; of the local internet the scenarios."""
import re

from house import ROOT, finish

NAME = re.compile(r"\b(?:([a-z]+/(?:test_[a-z_0-9]+\.c|[a-z_0-9]+\.py)):"
                  r"([a-z_0-9]+)|inet/scenarios\.txt)")


def joined(text):
    """C strings that stand side by side, as one."""
    return re.sub(r'"\s*\n\s*"', "", text)


def main():
    readme = ROOT / "tests/standards/README"
    faults = []
    count = 0
    # A name and what follows it up to the next one or an empty line.
    text = readme.read_text().split("\n\n", 1)[1]
    at = [m for m in NAME.finditer(text)]
    for m, after in zip(at, at[1:] + [None]):
        count += 1
        path = ROOT / "tests" / (m[1] or m[0])
        if not path.is_file():
            faults.append(f"{readme.name}: no file {path}")
            continue
        code = joined(path.read_text())
        begin = r"def " if path.suffix == ".py" else r"static [\w ]+ \*?"
        if m[2] is None:
            code = re.sub(r"(?m)^([a-z0-9-]+)\.", r'"\1" ', code)
        elif not re.search(rf"^{begin}{m[2]}[(\[]", code, re.M):
            faults.append(f"{readme.name}: no {m[2]}() in {path}")
        rest = text[m.end():after.start() if after else None]
        # Rows stand on the same line or the next, before any other text.
        rows = re.match(r'(?:\s*"[^"]*")*', rest)[0]
        for row in re.findall(r'"([^"]*)"', rows):
            row = " ".join(row.split())
            if f'"{row}"' not in code:
                faults.append(f'{readme.name}: no row "{row}" in '
                              f"{path}")
            count += 1
    finish(faults, f"{count} names of tests/standards/README are there")


main()
