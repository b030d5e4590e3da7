#!/usr/bin/env python3
"""dependencies.py: doc/dependencies.md has every library, the least version that
the build asks for, and who uses it; what builds packages and tests brings each
of them."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# As the page calls it: names in meson files, headers, Debian's package.
LIBRARIES = {
    "Nettle, Hogweed": (["nettle", "hogweed"], r"nettle/", "nettle-dev"),
    "GMP": (["gmp"], r"gmp\.h", "libgmp-dev"),
    "GnuTLS": (["gnutls"], r"gnutls/", "libgnutls28-dev"),
    "libidn2": (["libidn2"], r"idn2\.h", "libidn2-dev"),
    "libunistring": (["unistring"], r"uni(str|type|ctype|norm|case|conv)\.h",
                     "libunistring-dev"),
    "libpsl": (["libpsl"], r"libpsl\.h", "libpsl-dev"),
    "libexpat": (["expat"], r"expat\.h", "libexpat1-dev"),
    "libunbound": (["unbound"], r"unbound\.h", "libunbound-dev"),
    "LMDB": (["lmdb"], r"lmdb\.h", "liblmdb-dev"),
    "libcurl": (["libcurl"], r"curl/", "libcurl4-gnutls-dev"),
    "libmicrohttpd": (["libmicrohttpd"], r"microhttpd\.h",
                      "libmicrohttpd-dev"),
    "zlib": (["zlib"], r"zlib\.h", "zlib1g-dev"),
    "libzip": (["libzip"], r"zip\.h", "libzip-dev"),
    "OpenSSL": (["libcrypto"], r"openssl/", None),
}
# Not libraries of others.
OWN = {"onward", "threads"}


def table_after(text, words):
    """The rows of the first table behind some words."""
    rows = text.partition(words)[2].split("\n\n")[1].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")]
            for row in rows]


def users(folder, headers):
    """The folders right below that include one of them."""
    return {path.relative_to(ROOT / folder).parts[0]
            for path in (ROOT / folder).rglob("*.[ch]")
            if re.search(rf"^\s*#\s*include <{headers}", path.read_text(),
                         re.M)}


def asked(files):
    """{name: least version or ""} of dependency() and find_library()."""
    found = {}
    for path in files:
        for name, rest in re.findall(
                r"\b(?:dependency|find_library)\('([\w-]+)'([^)]*)\)",
                re.sub(r"#.*", "", path.read_text())):
            version = re.search(r"version: '>=([\d.]+)'", rest)
            found[name] = version[1] if version else found.get(name, "")
    return {name: version for name, version in found.items()
            if name not in OWN}


def check_library(page):
    wanted = asked([ROOT / "meson.build"])
    rows = table_after(page, "## What each part is for")
    for name, version, used, _ in rows:
        if name not in LIBRARIES:
            yield f"{name}: not known to this test"
            continue
        names, headers, _ = LIBRARIES[name]
        for it in names:
            least = wanted.pop(it, None)
            if least is None or (least and least != version):
                yield f"{name}: the build asks for {it} {least}, not {version}"
        said = set(re.sub(r"\(.*?\)", "", used).replace(",", " ").split())
        there = users("lib", headers)
        if said != there:
            yield (f"{name}: used by {', '.join(sorted(there))}; the page says "
                   f"{', '.join(sorted(said))}")
    yield from (f"{it}: not on the page" for it in sorted(wanted))


def program(folder):
    return "onward" if folder == "cli" else f"onward-{folder}"


def check_programs(page):
    files = [path for path in (ROOT / "examples").rglob("meson.build")
             if path.parent.name != "subproject"]
    wanted = asked(files)
    rows = table_after(page, "The programs in `examples/` need more")
    for name, used, _ in rows:
        name, _, version = name.partition(" ")
        key = name if name in LIBRARIES else f"{name}, Hogweed"
        if key not in LIBRARIES:
            yield f"{name}: not known to this test"
            continue
        names, headers, _ = LIBRARIES[key]
        for it in names:
            least = wanted.pop(it, "")
            if least != version:
                yield f"{name}: the build asks for {it} {least}, not {version}"
        words = set(used.replace(",", " ").split())
        for folder in users("examples", headers):
            if program(folder) not in words and not any(
                    word.startswith(f"examples/{folder}") for word in words):
                yield f"{name}: used by examples/{folder} too"
    yield from (f"{it}: not on the page" for it in sorted(wanted))


def check_packages():
    """Whoever builds for others asks for all of them."""
    script = (ROOT / "tests/packages.sh").read_text()
    listed = {"tests/packages.sh": set(re.search(
        r'ONWARD_BUILD_PACKAGES="(.*?)"', script, re.S)[1].split())}
    control = ROOT / "debian/control"
    if control.exists():  # a release does not carry it
        source = control.read_text().partition("\n\n")[0]
        listed["debian/control"] = set(re.findall(r"^ ([\w.+-]+)", source,
                                                  re.M))
        library = re.search(r"Package: libonward-dev\n.*?(?=\n\n)",
                            control.read_text(), re.S)[0]
        # Whoever links the static library needs what it stands on.
        listed["libonward-dev"] = set(re.findall(r"^ ([\w.+-]+),?$", library,
                                                 re.M))
    for where, packages in listed.items():
        for name, (_, _, package) in list(LIBRARIES.items()):
            if where == "libonward-dev" and name not in list(LIBRARIES)[:7]:
                continue
            if package and package not in packages:
                yield f"{where}: {package} is missing"


def main():
    page = (ROOT / "doc/dependencies.md").read_text()
    faults = [*check_library(page), *check_programs(page), *check_packages()]
    print("\n".join(faults) or "the page has every library and who uses it")
    sys.exit(1 if faults else 0)


main()
