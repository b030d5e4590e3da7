#!/usr/bin/env python3
"""ffi.py OUT.h OUT.json SOURCE_ROOT VERSION CC...: the public headers for those
who call the library through an FFI.

OUT.h is plain declarations, for cffi and LuaJIT. OUT.json says the same to
those that read no C, as koffi:

    {"version": "0.1.0",
     "constants": {"ONWARD_EINVAL": -2, "ONWARD_NEVER": "9223372036854775807"},
     "enums": {"onward_error": ["ONWARD_ENOMEM", ...]},
     "structs": {"onward_str": [["data", "const char *"], ["len", "size_t"]],
                 "onward_ctx": null},
     "functions": {"onward_strerror": {"returns": "const char *",
                                       "args": [["error", "int"]]}}}

The fields of a struct stand in their order; null is a handle. A field that is
a callback has an object as functions have in place of its type. Numbers that a
double does not hold are strings.

Macros are in OUT.h where they fit into an int, as LuaJIT knows no other
constants; those that do not are in OUT.json alone."""
import json
import pathlib
import re
import subprocess
import sys

TOKEN = re.compile(r'\w+|[{}()\[\];,*=]|-\d+|<<|[-+]')


def preprocessed(root, cc, text):
    return subprocess.run(
        [*cc, "-E", "-P", "-nostdinc", f"-I{root}/tests/ffi/stub",
         f"-I{root}/include", "-DONWARD_API=", "-x", "c", "-"],
        input="#include <onward.h>\n" + text, check=True, text=True,
        stdout=subprocess.PIPE).stdout


def macros(root, cc):
    """The values of all macros that are numbers."""
    names = []
    for path in sorted(pathlib.Path(root, "include/onward").glob("*.h")):
        names += re.findall(r"^#define (ONWARD_\w+) +\S", path.read_text(),
                            re.M)
    names = sorted(set(names) - {"ONWARD_API"})
    text = preprocessed(root, [*cc, "-DSIZE_MAX=__SIZE_MAX__",
                               "-DINT64_MAX=__INT64_MAX__"],
                        "".join(f'"{name}" = {name}\n' for name in names))
    values = {}
    for name, value in re.findall(r'^"(ONWARD_\w+)" = (.*)$', text, re.M):
        match = re.fullmatch(r"\(?(\w+?)[UL]*(?: - (\d+))?\)?", value.strip())
        if match is None:
            sys.exit(f"ffi.py: {name} is no number: {value}")
        values[name] = int(match[1], 0) - int(match[2] or 0)
    return values


class Reader:
    """The declarations of our own headers, which are simple on purpose."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(re.sub(r"/\*.*?\*/", "", text,
                                           flags=re.S))
        self.at = 0
        self.constants = {}
        self.enums = {}
        self.structs = {}
        self.functions = {}

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *expected):
        token = self.peek()
        if token is None or (expected and token not in expected):
            around = " ".join(self.tokens[max(0, self.at - 8):self.at + 4])
            sys.exit(f"ffi.py: {token!r} for {expected} near: {around}")
        self.at += 1
        return token

    def skip(self, token):
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def base(self):
        words = []
        while self.peek() in ("const", "struct", "enum", "unsigned"):
            words.append(self.take())
        words.append(self.take())
        while self.peek() == "const":
            words.append(self.take())
        return " ".join(words)

    def stars(self, kind):
        while self.peek() in ("*", "const"):
            kind += (" " if kind[-1] != "*" else "") + self.take()
        return kind

    def declarator(self, base):
        """A name and its type."""
        kind = self.stars(base)
        if self.skip("("):
            self.take("*")
            name = self.take()
            self.take(")")
            return name, {"returns": kind, "args": self.arguments()}
        name = "" if self.peek() in (",", ")") else self.take()
        while self.skip("["):
            kind += f"[{self.value()}]"
            self.take("]")
        return name, kind

    def arguments(self):
        self.take("(")
        if self.tokens[self.at:self.at + 2] == ["void", ")"]:
            self.at += 2
            return []
        found = [list(self.declarator(self.base()))]
        while self.skip(","):
            found.append(list(self.declarator(self.base())))
        self.take(")")
        return found

    def value(self):
        """A constant expression: numbers, names, shifts."""
        total = self.term()
        while self.peek() in ("<<", "+"):
            shift = self.take() == "<<"
            term = self.term()
            total = total << term if shift else total + term
        return total

    def term(self):
        negative = self.skip("-")
        token = self.take()
        number = self.constants.get(token)
        if number is None:
            number = int(re.sub(r"[uUlL]+$", "", token), 0)
        return -number if negative else number

    def enum(self):
        self.take("enum")
        tag = "" if self.peek() == "{" else self.take()
        self.take("{")
        names, following = [], 0
        while self.peek() != "}":
            name = self.take()
            if self.skip("="):
                following = self.value()
            self.constants[name] = following
            names.append(name)
            following += 1
            self.skip(",")
        self.take("}")
        self.take(";")
        if tag:
            self.enums[tag] = names

    def struct(self):
        self.take("struct")
        tag = self.take()
        if self.skip(";"):
            self.structs.setdefault(tag, None)
            return
        self.take("{")
        fields = []
        while self.peek() != "}":
            base = self.base()
            fields.append(list(self.declarator(base)))
            while self.skip(","):
                fields.append(list(self.declarator(base)))
            self.take(";")
        self.take("}")
        self.take(";")
        self.structs[tag] = fields

    def function(self):
        kind = self.stars(self.base())
        name = self.take()
        self.functions[name] = {"returns": kind, "args": self.arguments()}
        self.take(";")

    def read(self):
        while self.peek() is not None:
            here = self.tokens[self.at:self.at + 3]
            if here[0] == "enum" and "{" in here:
                self.enum()
            elif here[0] == "struct" and here[2] in ("{", ";"):
                self.struct()
            else:
                self.function()


def main():
    out_h, out_json, root, version, *cc = sys.argv[1:]
    text = preprocessed(root, cc, "")
    values = macros(root, cc)
    for name, value in values.items():
        if value < 2**31:
            text += f"enum {{ {name} = {value} }};\n"
    reader = Reader(text)
    reader.read()
    constants = {**reader.constants, **values}
    described = {
        "version": version,
        "constants": {name: value if abs(value) < 2**53 else str(value)
                      for name, value in constants.items()},
        "enums": reader.enums,
        "structs": reader.structs,
        "functions": reader.functions,
    }
    pathlib.Path(out_h).write_text(
        "/* libonward: generated from the public headers. */\n" + text)
    pathlib.Path(out_json).write_text(json.dumps(described, indent=1) + "\n")


main()
