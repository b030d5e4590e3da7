#!/usr/bin/env python3
"""Writes charset_tables.c: the upper halves of the single-byte charsets, and
the names of all built-in ones. Run by hand when a charset is added:
    python3 lib/mime/charset_tables.py > lib/mime/charset_tables.c
The facts are those of Python's codecs and of iconv(1); where the two differ,
the script stops."""
import subprocess
import sys

# Our name, Python's codec, iconv's name, the other names in mail.
SINGLE = [
    ("iso-8859-1", "latin1 iso8859-1 iso_8859-1 iso-ir-100 l1 cp819 ibm819"),
    ("iso-8859-2", "latin2 iso8859-2 iso_8859-2 l2"),
    ("iso-8859-3", "latin3 iso8859-3 iso_8859-3 l3"),
    ("iso-8859-4", "latin4 iso8859-4 iso_8859-4 l4"),
    ("iso-8859-5", "cyrillic iso8859-5 iso_8859-5"),
    ("iso-8859-6", "arabic iso8859-6 iso_8859-6 iso-8859-6-i iso-8859-6-e"),
    ("iso-8859-7", "greek iso8859-7 iso_8859-7"),
    ("iso-8859-8", "hebrew iso8859-8 iso_8859-8 iso-8859-8-i iso-8859-8-e"),
    ("iso-8859-9", "latin5 iso8859-9 iso_8859-9 l5"),
    ("iso-8859-10", "latin6 iso8859-10 iso_8859-10 l6"),
    ("iso-8859-11", "iso8859-11 tis-620"),
    ("iso-8859-13", "latin7 iso8859-13 l7"),
    ("iso-8859-14", "latin8 iso8859-14 iso_8859-14 l8"),
    ("iso-8859-15", "latin9 latin-9 iso8859-15 iso_8859-15 l9"),
    ("iso-8859-16", "latin10 iso8859-16 iso_8859-16 l10"),
    ("windows-1250", "cp1250 x-cp1250"),
    ("windows-1251", "cp1251 x-cp1251"),
    ("windows-1252", "cp1252 x-cp1252"),
    ("windows-1253", "cp1253"),
    ("windows-1254", "cp1254"),
    ("windows-1255", "cp1255"),
    ("windows-1256", "cp1256"),
    ("windows-1257", "cp1257"),
    ("windows-1258", "cp1258"),
    ("windows-874", "cp874"),
    ("koi8-r", "koi8r cskoi8r"),
    ("koi8-u", "koi8u"),
    ("ibm437", "cp437 437"),
    ("ibm850", "cp850 850"),
    ("ibm852", "cp852 852"),
    ("ibm866", "cp866 866"),
    ("macintosh", "mac x-mac-roman"),
]
PYTHON = {"windows-874": "cp874", "macintosh": "mac_roman"}
ICONV = {"windows-874": "CP874"}
for number in range(1250, 1259):
    PYTHON[f"windows-{number}"] = f"cp{number}"
    ICONV[f"windows-{number}"] = f"CP{number}"
OTHER = [
    ("UTF8", "utf-8 utf8 unicode-1-1-utf-8 utf-8-mac utf8mb4"),
    ("ASCII", "us-ascii ascii iso646-us ansi_x3.4-1968 iso-ir-6 us 646"),
    ("UTF16", "utf-16 utf16 iso-10646-ucs-2 ucs-2"),
    ("UTF16BE", "utf-16be"),
    ("UTF16LE", "utf-16le"),
    ("UTF7", "utf-7 utf7 unicode-1-1-utf-7"),
]
NONE = 0xFFFD


def by_python(name):
    codec = PYTHON.get(name, name)
    return [ord(bytes([i]).decode(codec, "replace")) for i in range(128, 256)]


def by_iconv(name):
    codes = []
    for i in range(128, 256):
        done = subprocess.run(
            ["iconv", "-f", ICONV.get(name, name.upper()), "-t", "UTF-16BE"],
            input=bytes([i, 0x20]), capture_output=True)
        code = int.from_bytes(done.stdout[:2], "big")
        codes.append(code if done.returncode == 0 and code else NONE)
    return codes


def table(name):
    ours, theirs = by_python(name), by_iconv(name)
    for i, (a, b) in enumerate(zip(ours, theirs)):
        # What only one of them knows is what the other's standard leaves out.
        if a != b and NONE not in (a, b) and name != "macintosh":
            sys.exit(f"{name}: octet {i + 128:#x} is {a:#x} or {b:#x}")
    return [a if a != NONE else b for a, b in zip(ours, theirs)]


def main():
    print("/* Written by charset_tables.py; do not edit. */\n"
          '#include "mime/charset_priv.h"\n\n'
          "const uint16_t onward_mime__charset_upper[][128] = {")
    for name, _ in SINGLE:
        print(f"    {{ /* {name} */")
        codes = table(name)
        for i in range(0, 128, 8):
            row = ", ".join(f"0x{c:04x}" for c in codes[i:i + 8])
            print(f"     {row},")
        print("    },")
    print("};\n\nconst struct onward_mime__charset_name "
          "onward_mime__charset_names[] = {")
    for kind, names in OTHER:
        for name in names.split():
            print(f'    {{"{name}", ONWARD_MIME__{kind}, 0}},')
    for i, (name, more) in enumerate(SINGLE):
        for other in [name, *more.split()]:
            print(f'    {{"{other}", ONWARD_MIME__SINGLE, {i}}},')
    print("    {NULL, ONWARD_MIME__ASCII, 0},\n};")


main()
