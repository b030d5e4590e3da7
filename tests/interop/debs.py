"""Debian packages without installing them: downloaded with apt-get and
unpacked below a folder of ours, with the libraries that they need and this
machine lacks. No service is started, no user made, nothing in /etc touched,
and packages that conflict (every MTA does) stand beside each other."""
import glob
import os
import re
import shutil
import subprocess


class Unavailable(Exception):
    """The package cannot be had here; its text says why."""


def _run(argv, **more):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, **more)


def _installed(name):
    got = _run(["dpkg-query", "-W", "-f=${Status}", name])
    return got.returncode == 0 and "install ok installed" in got.stdout


def _update():
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        _run(root + ["apt-get", "update", "-qq"])
    except (OSError, subprocess.SubprocessError):
        pass  # the download that follows tells


def _download(name, folder):
    got = _run(["apt-get", "download", "-qq", name], cwd=folder)
    if got.returncode != 0:
        # A fresh machine has no package lists yet.
        _update()
        got = _run(["apt-get", "download", "-qq", name], cwd=folder)
    found = glob.glob(os.path.join(folder, name + "_*.deb"))
    if got.returncode != 0 or not found:
        raise Unavailable(f"package {name}: " + got.stdout.strip()[-300:])
    return found[0]


def _libraries(deb):
    """The library packages that deb depends on."""
    got = _run(["dpkg-deb", "-f", deb, "Depends"])
    for choice in got.stdout.split(","):
        name = re.split(r"[\s(:|]", choice.strip())[0]
        if name.startswith("lib"):
            yield name


def unpack(name, cache):
    """The folder that holds package name's files; made once per cache."""
    tree = os.path.join(cache, name)
    if os.path.isdir(tree):
        return tree
    for tool in ("apt-get", "dpkg-deb", "dpkg-query"):
        if not shutil.which(tool):
            raise Unavailable(f"no {tool}: this is no Debian machine")
    partial = f"{tree}.{os.getpid()}"
    debs = partial + ".debs"
    os.makedirs(debs)
    try:
        wanted, done = [name], set()
        while wanted:
            item = wanted.pop()
            if item in done or (item != name and _installed(item)):
                continue
            done.add(item)
            deb = _download(item, debs)
            if _run(["dpkg-deb", "-x", deb, partial]).returncode != 0:
                raise Unavailable(f"package {item} cannot be unpacked")
            wanted += _libraries(deb)
        # A stray copy of a program that rises to root is no good neighbour.
        _run(["chmod", "-R", "ug-s", partial])
        try:
            os.rename(partial, tree)
        except OSError:  # another test was first
            if not os.path.isdir(tree):
                raise
    finally:
        shutil.rmtree(debs, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)
    return tree


def library_path(tree):
    """LD_LIBRARY_PATH for programs of an unpacked package."""
    return ":".join(glob.glob(tree + "/usr/lib/*-linux-*") +
                    glob.glob(tree + "/lib/*-linux-*"))
