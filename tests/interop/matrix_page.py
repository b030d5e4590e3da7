"""doc/interop.md: read, written, and held against what was seen."""
import pathlib

from matrix_rows import COLUMNS, Row

PAGE = pathlib.Path(__file__).resolve().parents[2] / "doc/interop.md"


def read_page():
    """{(kind, name): (version, {column: cell})} as the page has it."""
    found, kind = {}, None
    if not PAGE.exists():
        return found
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            kind = {"Clients": "clients", "Servers": "servers"}.get(
                line[3:].split()[0])
        cells = [c.strip() for c in line.strip("|").split("|")]
        if kind and line.startswith("| ") and len(cells) == len(COLUMNS) + 2 \
                and cells[0] != "peer":
            found[kind, cells[0]] = (cells[1], dict(zip(COLUMNS, cells[2:])))
    return found


def page_notes():
    if not PAGE.exists():
        return []
    return [line[2:] for line in PAGE.read_text().splitlines()
            if line.startswith("- ")]


HEAD = """\
# Interop

<!-- Written by tests/interop/matrix.py --write; the test fails when it differs
from what is seen. -->

Each cell is a message that went through and was the same afterwards, octet for
octet behind the fields that a relay puts before it, with the facts that the
column is about: `yes`, or what was seen. The messages have lines that begin
with dots, trailing spaces, 8-bit characters and a line of 990 characters.

- `not offered`: the server's EHLO (LHLO) does not offer it.
- `not used`, `uses DATA`, `in step`: we offered it, and the client brought the
  message (or tried to, with a UTF-8 address) in another way.
- `none`: there is no such thing in the peer; see the notes.
- `broken`: the peer's TLS does not work with others either; see the notes.
- `not run`: this peer could not be had where the page was written; see there.

None of these peers has BINARYMIME: tests/interop/programs.py has our two
programs do it with each other. In the columns STARTTLS and implicit TLS the
client checks the certificate's chain, but for OpenSMTPD's.
"""


def table(kind, rows):
    lines = ["| peer | version | " + " | ".join(COLUMNS) + " |",
             "|" + " --- |" * (len(COLUMNS) + 2)]
    for name, (version, cells) in rows.items():
        lines.append(f"| {name} | {version} | " +
                     " | ".join(cells[c] for c in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def write_page(results, peers):
    old, old_notes = read_page(), page_notes()
    parts, notes = [HEAD], []
    for kind, title in (("clients", "Clients at onward-sink"),
                        ("servers", "Servers behind onward-send")):
        rows = {}
        for name in peers[kind]:
            got = results.get((kind, name))
            if isinstance(got, Row):
                rows[name] = (got.version, got.cells)
                notes += got.notes
            elif (kind, name) in old and old[kind, name][0] != "-":
                rows[name] = old[kind, name]
                notes += [n for n in old_notes
                          if n.startswith((name + ",", name + ":"))]
            else:
                rows[name] = ("-", {c: "not run" for c in COLUMNS})
                notes.append(f"{name}, not run: {got}.")
        parts.append(f"\n## {title}\n\n" + table(kind, rows))
    notes = list(dict.fromkeys(notes))
    if notes:
        parts.append("\n## Notes\n\n" + "".join(f"- {n}\n" for n in notes))
    PAGE.write_text("".join(parts))


def differences(results):
    old = read_page()
    for (kind, name), row in results.items():
        if not isinstance(row, Row):
            continue
        _, cells = old.get((kind, name), ("", {}))
        for column in COLUMNS:
            got, want = row.cells[column], cells.get(column, "nothing")
            if got != want:
                yield (f"{kind}: {name}, {column}: seen: {got}, "
                       f"doc/interop.md: {want}")
