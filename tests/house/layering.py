#!/usr/bin/env python3
"""A module includes public and shared headers of lower floors, and private
headers of its own only. lib/ does not name what it must not use."""
import re

from house import FLOOR, ROOT, finish, module_of_header

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
# What a host brings through callbacks, or what depends on a locale or on a
# process (conventions section 7).
BANNED = re.compile(
    r"(?<![\w.>])(malloc|calloc|realloc|free|printf|fprintf|sprintf|snprintf|"
    r"puts|abort|exit|assert|strtol|strtoul|strtoull|strtod|atoi|atol|sscanf|"
    r"strtok|strftime|strcasecmp|strncasecmp|strcpy|strcat|strdup|alloca|time|"
    r"gettimeofday|clock_gettime|localtime|gmtime|getenv|socket|connect|open|"
    r"fopen|read|write|poll|select|fork|pthread_\w+|rand|random|isalpha|"
    r"isdigit|isspace|isalnum|tolower|toupper)\s*\(")
BANNED_HEADERS = {"ctype.h", "stdio.h", "errno.h", "time.h", "locale.h",
                  "unistd.h", "pthread.h", "assert.h", "threads.h", "signal.h"}
# GnuTLS's transport is told EAGAIN by number; errno itself is not touched.
ALLOWED_HEADERS = {("lib/tls/filter.c", "errno.h")}


def strip(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text,
                  flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def target(name):
    """(module, kind) of an included file of ours; None for others."""
    parts = name.split("/")
    if parts[0] == "onward" and len(parts) == 2:
        return module_of_header(parts[1]), "public"
    if parts[0] in FLOOR:
        kind = ("shared" if name.endswith("_shared.h") else
                "private" if name.endswith("_priv.h") else "other")
        return parts[0], kind
    return None


def check(path, module, faults):
    text = path.read_text()
    where = path.relative_to(ROOT)
    for bracket, name in INCLUDE.findall(text):
        if (name in BANNED_HEADERS
                and (where.as_posix(), name) not in ALLOWED_HEADERS):
            faults.append(f"{where}: includes <{name}>")
        if name == "onward.h":
            faults.append(f"{where}: includes all of onward.h")
        found = target(name)
        if found is None:
            continue
        other, kind = found
        if not other:
            faults.append(f"{where}: {name} belongs to no module")
        elif other != module and FLOOR[other] >= FLOOR[module]:
            faults.append(f"{where}: {module} (floor {FLOOR[module]}) includes "
                          f"{name} (floor {FLOOR[other]})")
        elif other != module and kind == "private":
            faults.append(f"{where}: includes a private header, {name}")
    return strip(text)


def main():
    faults = []
    files = 0
    for path in sorted((ROOT / "lib").rglob("*.[ch]")):
        module = path.relative_to(ROOT / "lib").parts[0]
        code = check(path, module, faults)
        files += 1
        if path.name == "default_allocator.c":
            continue  # the one documented place
        for number, line in enumerate(code.split("\n"), 1):
            hit = BANNED.search(line)
            if hit:
                where = path.relative_to(ROOT)
                faults.append(f"{where}:{number}: uses {hit.group(1)}()")
    for path in sorted((ROOT / "include" / "onward").glob("*.h")):
        check(path, module_of_header(path.name), faults)
        files += 1
    finish(faults, f"{files} files keep to their floors")


main()
