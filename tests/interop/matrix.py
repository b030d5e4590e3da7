#!/usr/bin/env python3
"""Which programs of others work with ours, by which extensions: clients at
onward-sink, onward-send at servers, on loopback, a message a cell.

    matrix.py --sink SINK --send SEND --cache DIR [--only NAME] [--write]

A cell is written when a message came through octet for octet and with the facts
that the column is about, or when it was seen that the peer does not offer it.
Fails when doc/interop.md says otherwise; --write writes that page. Peers that
cannot be had here are skipped, and keep what the page says of them. Exit status
77: none could be had. ($ONWARD_DEBS, if set, goes before --cache.)
"""
import argparse
import sys

import matrix_clients
import matrix_servers
from matrix_page import differences, write_page
from matrix_rows import Row, run_peer
from matrix_world import World
from world import Folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sink", required=True)
    parser.add_argument("--send", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    peers = {"clients": matrix_clients.PEERS, "servers": matrix_servers.PEERS}
    results = {}
    with Folder("matrix") as folder, World(args, folder) as world:
        for kind in peers:
            for name, make in peers[kind].items():
                if args.only.lower() not in f"{kind} {name}".lower():
                    continue
                results[kind, name] = run_peer(world, kind, make)
                if isinstance(results[kind, name], str):
                    print(f"skip {kind}: {name}: {results[kind, name]}",
                          flush=True)
    rows = [r for r in results.values() if isinstance(r, Row)]
    for row in rows:
        for failure in row.failures:
            print("not ok " + failure)
    if args.write:
        write_page(results, peers)
    faults = list(differences(results))
    for fault in faults:
        print("not ok " + fault)
    cells = sum(len(r.cells) for r in rows)
    print(f"{cells} cells of {len(rows)} peers, {len(faults)} differ, "
          f"{sum(len(r.failures) for r in rows)} fail")
    if any(r.failures for r in rows) or faults:
        return 1
    return 0 if rows else 77


if __name__ == "__main__":
    sys.exit(main())
