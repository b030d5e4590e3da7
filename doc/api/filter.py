#!/usr/bin/env python3
"""filter.py HEADER: a public header as Doxygen is to see it: with the module
that it belongs to; with what is the same everywhere, which the headers need not
say each time; and with addresses and backslashes that are text. Lines keep
their numbers."""
import pathlib
import re
import sys

# Members that nothing is said of, and structs that nothing stands above.
MEMBERS = (
    (r"size_t size;", "sizeof of the struct, set by who makes it"),
    (r"void \*user;", "handed back first, never looked at"),
    (r"(?:size_t|uint32_t|int32_t) reserved\w*;", "0"),
    (r"uint64_t log_id;", "in each log event of the object; 0: none"),
    (r"size_t \w+_count;", "how many there are"),
)
STRUCTS = (
    ("_opts", "What can be chosen; a field that is 0 or empty has its default."),
    ("_host", "What the host is called back for, each with user first."),
)


def module_of(path, groups):
    """smtp_server.h belongs to smtp."""
    stem = path.stem
    while stem not in groups:
        if "_" not in stem:
            sys.exit(f"{path.name}: no group in groups.dox")
        stem = stem.rpartition("_")[0]
    return stem


def grouped(path, text):
    here = pathlib.Path(__file__).resolve().parent
    groups = re.findall(r"@defgroup (\w+)", (here / "groups.dox").read_text())
    text, found = re.subn(
        r"(/\*\* @file\n.*?\*/)", rf"\1 /** @addtogroup "
        rf"{module_of(path, groups)} */ /** @{{ */", text, count=1, flags=re.S)
    if found != 1:
        sys.exit(f"{path.name}: no @file comment")
    return re.sub(r"#endif\s*\Z", "/** @} */\n#endif\n", text)


def said_for_all(text):
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if lines[i - 1].rstrip().endswith("*/") and "/**<" not in lines[i - 1]:
            continue  # something stands above it
        for pattern, said in MEMBERS:
            if re.fullmatch(rf" +{pattern}", line):
                lines[i] = f"{line} /**< {said} */"
        for suffix, said in STRUCTS:
            if re.fullmatch(rf"struct onward_\w+{suffix} {{", line):
                lines[i] = f"/** {said} */ {line}"
    return "\n".join(lines)


def escaped(comment):
    """No command is meant in what is neither code nor begins a word."""
    parts = comment.split("`")
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"(?<=\w)@(?=\w)", r"\\@", parts[i])
        parts[i] = re.sub(r"\\(?=[A-Za-z#])", r"\\\\", parts[i])
    return "`".join(parts)


def main():
    path = pathlib.Path(sys.argv[1])
    text = path.read_text()
    if path.name != "onward.h":
        text = re.sub(r"/\*.*?\*/", lambda found: escaped(found[0]), text,
                      flags=re.S)
        text = said_for_all(grouped(path, text))
    sys.stdout.write(text)


main()
