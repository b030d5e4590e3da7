#!/usr/bin/python3
"""dkimpy's word on a message, for comparison with ours. Same use as
with_maildkim.pl; the message comes on standard input, CRLF or LF.

    verify DNS-FILE                       one JSON line
    sign KEY DOMAIN SELECTOR              the message with a DKIM-Signature
    seal KEY DOMAIN SELECTOR AUTHSERV-ID DNS-FILE
                                          the message with an ARC set, over the
                                          Authentication-Results of AUTHSERV-ID
                                          (dkimpy believes its arc= result)
"""
import json
import re
import sys

import dkim


def records(path):
    """TXT records of a file of dig lines, as dkimpy's DNS function."""
    found = {}
    with open(path) as f:
        for line in f:
            match = re.match(r"(\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?TXT\s+(\".*)",
                             line)
            if match:
                found[match.group(1).lower()] = "".join(
                    re.findall(r'"([^"]*)"', match.group(2))).encode()
    return lambda name, timeout=5: found.get(
        name.decode().rstrip(".").lower())


def verify(message, dns):
    lookup = records(dns)
    out = {"by": "dkimpy", "dkim": []}
    fields = dkim.rfc822_parse(message)[0]
    count = sum(name.lower() == b"dkim-signature" for name, _ in fields)
    for i in range(count):
        verifier = dkim.DKIM(message)
        try:
            good = verifier.verify(idx=i, dnsfunc=lookup)
        except dkim.DKIMException as e:
            good = False
            out["why"] = str(e)
        out["dkim"].append({
            "d": verifier.domain.decode() if verifier.domain else "",
            "result": "pass" if good else "fail"})
    cv, results, why = dkim.arc_verify(message, dnsfunc=lookup)
    out["arc"] = {dkim.CV_Pass: "pass", dkim.CV_None: "none"}.get(cv, "fail")
    out["instances"] = len(results)
    if out["arc"] == "fail":
        out["why"] = why
    return out


def main():
    message = sys.stdin.buffer.read()
    message = re.sub(rb"\r?\n", b"\r\n", message)
    command, *args = sys.argv[1:]
    if command == "verify":
        print(json.dumps(verify(message, *args)))
        return 0
    if command == "sign":
        with open(args[0], "rb") as f:
            key = f.read()
        field = dkim.sign(message, args[2].encode(), args[1].encode(), key,
                          canonicalize=(b"relaxed", b"relaxed"))
        sys.stdout.buffer.write(field + message)
        return 0
    if command == "seal":
        with open(args[0], "rb") as f:
            key = f.read()
        sealer = dkim.ARC(message)
        fields = sealer.sign(args[2].encode(), args[1].encode(), key,
                             args[3].encode())
        if not fields:
            print("dkimpy added no ARC set", file=sys.stderr)
            return 1
        sys.stdout.buffer.write(b"".join(fields) + message)
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
