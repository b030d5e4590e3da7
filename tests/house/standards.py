#!/usr/bin/env python3
"""Each test that tests/standards/README and tests/product/README name is there:
the file, the function in it, and the rows in quotes; of the local internet the
scenarios. The second has each row of the product, with tests that have its
number."""
import re

from house import ROOT, finish

NAME = re.compile(r"\b(?:([a-z]+/(?:test_[a-z_0-9]+\.c|[a-z_0-9]+\.py)):"
                  r"([a-z_0-9]+)|inet/scenarios\.txt)")


def joined(text):
    """C strings that stand side by side, as one."""
    return re.sub(r'"\s*\n\s*"', "", text)


# Rows that are to be there, by number.
PRODUCT = {n for first, last in ((1, 14), (16, 48), (54, 55), (59, 65), (70, 71),
                                 (78, 80)) for n in range(first, last + 1)}


def has_number(name, number):
    """row_18_to_21_what, rows_54_78_and_79_of: the numbers in front."""
    head = re.match(r"(?:test_)?rows?_((?:\d+_|to_|and_)+)", name + "_")
    if not head:
        return False
    for first, last in re.findall(r"(\d+)_to_(\d+)", head[1]):
        if int(first) <= number <= int(last):
            return True
    return number in {int(n) for n in re.findall(r"\d+", head[1])}


def numbered(faults):
    """Each row of the product has tests that are named by its number."""
    readme = ROOT / "tests/product/README"
    rows = re.split(r"(?m)^(?=\d+ )", readme.read_text())[1:]
    there = [int(row.split()[0]) for row in rows]
    for number in sorted(PRODUCT.symmetric_difference(there)):
        faults.append(f"{readme}: row {number} is missing, or is none")
    for number, row in zip(there, rows):
        row = row.split("\n\n")[0]
        for text in re.findall(r'"([^"]*)"', row):
            if not text.startswith(f"row {number}:"):
                faults.append(f'{readme}: "{text}" stands at row {number}')
        for m in NAME.finditer(row):
            if m[2] not in ("test_row", "check", "row") and \
                    not has_number(m[2], number):
                faults.append(f"{readme}: {m[2]} stands at row {number}")


def look(readme, faults):
    count = 0
    # A name and what follows it up to the next one or an empty line.
    text = readme.read_text().split("\n\n", 1)[1]
    at = [m for m in NAME.finditer(text)]
    for m, after in zip(at, at[1:] + [None]):
        count += 1
        path = ROOT / "tests" / (m[1] or m[0])
        if not path.is_file():
            faults.append(f"{readme.parent.name}: no file {path}")
            continue
        code = joined(path.read_text())
        begin = r"def " if path.suffix == ".py" else r"static [\w ]+ \*?"
        if m[2] is None:
            code = re.sub(r"(?m)^([a-z0-9-]+)\.", r'"\1" ', code)
        elif not re.search(rf"^{begin}{m[2]}[(\[]", code, re.M):
            faults.append(f"{readme.parent.name}: no {m[2]}() in {path}")
        rest = text[m.end():after.start() if after else None]
        # Rows stand on the same line or the next, before any other text.
        rows = re.match(r'(?:\s*"[^"]*")*', rest)[0]
        for row in re.findall(r'"([^"]*)"', rows):
            row = " ".join(row.split())
            if f'"{row}"' not in code:
                faults.append(f'{readme.parent.name}: no row "{row}" in '
                              f"{path}")
            count += 1
    return count


def main():
    faults = []
    count = sum(look(ROOT / f"tests/{name}/README", faults)
                for name in ("standards", "product"))
    numbered(faults)
    finish(faults, f"{count} names of tests/standards and tests/product are "
           "there")


main()
