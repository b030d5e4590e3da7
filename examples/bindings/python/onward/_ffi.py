"""The library and its declarations, found and loaded.

ONWARD_LIBRARY and ONWARD_FFI_H name the two files; without them the system's
loader finds the library, and the declarations are where it was installed.
"""
from __future__ import annotations

import os
import pathlib
import re
import sys
from typing import Any, Iterator, Optional

import cffi  # type: ignore[import]

#: What this binding needs at least.
LEAST = (0, 1, 0)


class LibraryError(ImportError):
    """There is no library that this binding can work with."""


def _declarations(library: str) -> Iterator[pathlib.Path]:
    given = os.environ.get("ONWARD_FFI_H")
    if given:
        yield pathlib.Path(given)
        return
    for folder in pathlib.Path(library).resolve().parents:
        yield folder / "include/onward.ffi.h"  # where it was built
        yield folder / "share/onward/onward.ffi.h"
    for prefix in (sys.prefix, "/usr/local", "/usr"):
        yield pathlib.Path(prefix, "share/onward/onward.ffi.h")


def _check(version: str) -> None:
    """Refuse what is older, or of another line."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    found = tuple(map(int, match.groups())) if match else (0, 0, 0)
    if found < LEAST or found[0] != LEAST[0]:
        raise LibraryError(
            f"libonward {version} is there, expected "
            f"{'.'.join(map(str, LEAST))} or a later {LEAST[0]}.x")


def load(library: Optional[str] = None) -> tuple[Any, Any]:
    """The library, checked: cffi's two objects."""
    name = library or os.environ.get("ONWARD_LIBRARY") or (
        "libonward.0.dylib" if sys.platform == "darwin" else "libonward.so.0")
    # The version is asked before anything else is believed.
    small = cffi.FFI()
    small.cdef("const char *onward_version(void);")
    try:
        version = small.string(small.dlopen(name).onward_version()).decode()
    except (OSError, AttributeError) as error:
        raise LibraryError(f"libonward cannot be loaded: {error}") from error
    _check(version)
    tried = list(_declarations(name))
    for path in tried:
        if path.is_file():
            break
    else:
        raise LibraryError("onward.ffi.h is not there; tried " +
                           ", ".join(map(str, tried)))
    ffi = cffi.FFI()
    ffi.cdef(path.read_text())
    return ffi, ffi.dlopen(name)


ffi, lib = load()
