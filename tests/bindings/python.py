#!/usr/bin/env python3
"""python.py [types]: the tests of examples/bindings/python, by the Python that
runs this; or its types, by mypy. ONWARD_LIBRARY, ONWARD_FFI_H and ONWARD_OLDER
name the library, its declarations, and a library that is too old."""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2] / "examples/bindings/python"


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def main():
    if sys.argv[1:] == ["types"]:
        mypy = shutil.which("mypy")
        if mypy is None:
            skip("no mypy")
        with tempfile.TemporaryDirectory() as cache:
            sys.exit(subprocess.run(
                [mypy, "--strict", "--cache-dir", cache, "onward"],
                cwd=ROOT).returncode)
    for module in ("cffi", "dns", "dkim", "nacl"):
        if importlib.util.find_spec(module) is None:
            skip(f"no {module}")
    sys.exit(subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "unittest",
         "discover", "-s", "tests"], cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).returncode)


main()
