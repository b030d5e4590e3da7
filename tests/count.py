#!/usr/bin/env python3
"""count.py TESTLOG: "PASSED FAILED SKIPPED" of a meson test run. A cmocka
program counts by its cases, any other test as one."""
import re
import sys

passed = failed = skipped = 0
text = open(sys.argv[1], errors="replace").read()
for block in re.split(r"^=+ \d+/\d+ =+$", text, flags=re.M)[1:]:
    result = re.search(r"^result:\s+(.*)$", block, re.M)
    word = result.group(1) if result else ""
    good = sum(int(n) for n in re.findall(
        r"^\[  PASSED  \] (\d+) test\(s\)", block, re.M))
    bad = sum(int(n) for n in re.findall(
        r"^\[  FAILED  \] (\d+) test\(s\)", block, re.M))
    passes = "exit status 0" in word
    if "exit status 77" in word:
        skipped += 1
    elif passes:
        passed += good or 1
    else:
        passed += good
        failed += bad or 1
    skipped += len(re.findall(r"^skipped: ", block, re.M)) if passes else 0
print(passed, failed, skipped)
