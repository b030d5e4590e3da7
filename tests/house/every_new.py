#!/usr/bin/env python3
"""Nothing is forgotten when memory and random numbers fail (A124, A125): every
constructor of the symbol map is a row of tests/attacks/test_every_new.c, and
every place in lib/ that draws random numbers is held by a test named here."""
import re

from house import ROOT, finish

# Where lib/ draws, and the test in which the source fails there: the operation
# fails too.
DRAWS = {
    "core/ctx.c": "attacks/test_every_new.c",
    "dmarc/check.c": "dmarc/test_policy.c",
    "dmarc/report_read.c": "attacks/test_every_new.c",
    "egress/servers.c": "egress/test_plan.c",
    "key/generate.c": "key/test_key.c",
    "key/rsa.c": "key/test_signer.c",
    "mime/build.c": "mime/test_builder.c",
    "mime/edit_footer.c": "mime/test_edit_body.c",
    "ruleset/build.c": "attacks/test_every_new.c",
    "smtp/sasl_scram.c": "smtp/test_sasl.c",
    "tlsrpt/collector.c": "attacks/test_every_new.c",
}


def main():
    faults = []
    text = (ROOT / "tests/attacks/test_every_new.c").read_text()
    rows = [f"onward_{it}_new" for it in
            re.findall(r"^    ROW\((\w+), ", text, re.M)]
    names = re.findall(r"^\s*(onward_\w+_new);",
                       (ROOT / "lib/libonward.map").read_text(), re.M)
    faults += [f"no row in test_every_new.c: {it}"
               for it in sorted(set(names) - set(rows))]
    faults += [f"a row, and no function: {it}"
               for it in sorted(set(rows) - set(names))]
    drawing = {str(path.relative_to(ROOT / "lib"))
               for path in (ROOT / "lib").rglob("*.c")
               if re.search(r"\bonward_core__random\([^;{]*\)\s*[;<!=&]",
                            path.read_text())}
    faults += [f"lib/{it} draws random numbers, and no test makes them fail"
               for it in sorted(drawing - set(DRAWS))]
    faults += [f"lib/{it} draws none" for it in sorted(set(DRAWS) - drawing)]
    for place, test in DRAWS.items():
        source = (ROOT / "tests" / test).read_text()
        if "random_fails = true" not in source:
            faults.append(f"tests/{test}: nothing fails for lib/{place}")
    # A source is asked through one function, which fails when the source does.
    for path in (ROOT / "lib").rglob("*.c"):
        if re.search(r"random\.fill\(", path.read_text()) \
                and path.name != "ctx.c":
            faults.append(f"{path.name} asks the random source itself")
    finish(faults, f"{len(names)} constructors and {len(drawing)} places that "
           "draw are held")


main()
