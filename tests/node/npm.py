"""Packages of npm for the tests: got once into the build's folder. Not there,
and npm not reachable: the test is skipped with a word."""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = 77
PACKAGES = {
    "koffi": "3.3.4",
    "mimetext": "3.0.28",
    "postal-mime": "2.4.4",
    "toml-eslint-parser": "0.10.0",
    "jsonc-parser": "3.3.1",
    "typescript": "5.9.3",
    "@types/node": "18.19.130",
}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def has_all(folder):
    for name, version in PACKAGES.items():
        path = folder / "node_modules" / name / "package.json"
        if not path.exists() or json.loads(
                path.read_text())["version"] != version:
            return False
    return True


def install(folder):
    """folder/node_modules with all of PACKAGES."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run beside each other
        if not has_all(folder):
            fetch(folder)


def fetch(folder):
    if not shutil.which("npm"):
        skip("no npm")
    (folder / "package.json").write_text('{"private": true}\n')
    try:
        done = subprocess.run(
            ["npm", "install", "--prefix", str(folder), "--no-audit",
             "--no-fund", "--silent", "--ignore-scripts",
             "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
             "--fetch-retry-maxtimeout=5000",
             *(f"{n}@{v}" for n, v in PACKAGES.items())],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=150)
    except subprocess.TimeoutExpired:
        skip("npm does not come to an end")
    if done.returncode != 0 or not has_all(folder):
        skip(f"npm cannot get the packages: {done.stderr[-300:]}")


def prepare(cache, folder, source):
    """A copy of source in folder, with the packages beside it."""
    if not shutil.which("node"):
        skip("no node")
    install(cache)
    shutil.copytree(source, folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("node_modules"))
    modules = folder / "node_modules"
    modules.mkdir()
    for name in PACKAGES:
        (modules / name).parent.mkdir(exist_ok=True)
        os.symlink(cache / "node_modules" / name, modules / name)
    return modules
