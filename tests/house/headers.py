#!/usr/bin/env python3
"""Each public header compiles alone: as C11 and as C++ with all warnings, on
LP64, i386 and armhf without padding in any struct, and preprocessed for FFI
parsers (the file that is installed as onward.ffi.h goes through cffi)."""
import pathlib
import re
import sys
import tempfile

from house import ROOT, WARNINGS, finish, need, run

INC = ROOT / "include"


# On armhf these have a gap before their log_id: it cannot be filled without
# moving that field where there is none.
GAPS = {"onward_store_opts", "onward_resolver_opts"}


def compilers(tmp):
    base = WARNINGS + ["-fsyntax-only", f"-I{INC}"]
    c11 = base + ["-std=c11", "-Wstrict-prototypes"]
    bare = c11 + ["-ffreestanding"]
    return {
        "gcc C11": ["gcc", *c11],
        "clang C11": ["clang", *c11],
        "g++ C++17": ["g++", *base, "-std=c++17", "-xc++"],
        "i386": ["gcc", "-m32", *bare],
        "armhf": ["clang", "--target=arm-linux-gnueabihf", *bare],
    }


def alone(faults):
    headers = sorted((INC / "onward").glob("*.h")) + [INC / "onward.h"]
    with tempfile.TemporaryDirectory() as tmp:
        for header in headers:
            name = header.relative_to(INC)
            source = pathlib.Path(tmp) / "alone.c"
            # Twice: the guard works too. A struct whose size nobody asks for
            # is not laid out by clang, so its padding would not be seen.
            sizes = [f"extern char {it}_size_[sizeof(struct {it})];\n" for it in
                     re.findall(r"^struct (onward_\w+) {", header.read_text(),
                                re.M) if it not in GAPS]
            source.write_text(f"#include <{name}>\n#include <{name}>\n"
                              "extern int onward_test_;\n" + "".join(sizes))
            for label, argv in compilers(tmp).items():
                done = run(argv + [source])
                if done.returncode != 0:
                    faults.append(f"{name} as {label}:\n{done.stderr}")
        # It needs a C library, so not for the machines without one here.
        source = pathlib.Path(tmp) / "posix.c"
        source.write_text("#include <onward_posix.h>\n" * 2
                          + "extern int onward_test_;\n")
        for label, argv in list(compilers(tmp).items())[:3]:
            done = run(argv + [source])
            if done.returncode != 0:
                faults.append(f"onward_posix.h as {label}:\n{done.stderr}")
    return len(headers) + 1


def ffi(faults):
    text = need(["cc", "-E", "-P", "-nostdinc", f"-I{ROOT}/tests/ffi/stub",
                 f"-I{INC}", "-DONWARD_API=", INC / "onward.h"])
    try:
        import cffi
    except ImportError:
        faults.append("python3-cffi is not installed")
        return 0
    parser = cffi.FFI()
    try:
        parser.cdef(text)
    except Exception as why:  # whatever the parser dislikes is our fault
        faults.append(f"cffi does not read the headers: {why}")
        return 0
    return text.count("(")


def main():
    faults = []
    count = alone(faults)
    ffi(faults)
    finish(faults, f"{count} headers are complete alone and fit for FFI")


main()
