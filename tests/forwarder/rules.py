#!/usr/bin/env python3
"""rules.py PROGRAM ONWARD [CASE...]: rules that change while the forwarder
runs."""
import json
import os
import signal
import subprocess
import sys
import time

from forwarder import RULES, Cases, Forwarder, Hop, begins, equal, until

case = Cases()
ONWARD = os.path.abspath(sys.argv.pop(2))


def with_rule(to, action):
    rules = json.loads(json.dumps(RULES))
    rules["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to", "value": to}],
         "actions": [action]})
    return json.dumps(rules)


def replace(f, text, name="rules.json"):
    f.write("fresh", text)
    os.rename(f.path / "fresh", f.path / name)


def changed(f, event="rules-reloaded", count=1):
    assert until(lambda: len(f.events("rules-")) >= count), "no change seen"
    events = f.events("rules-")
    equal((len(events), events[-1]["event"]), (count, event))
    return events[-1]


NEW = with_rule("new@zone.example", {"type": "drop"})


# ---- The file changes -----------------------------------------------------

@case
def takes_a_file_that_was_renamed(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            begins(c.envelope(to="new@zone.example"), "550 5.1.1")
            c.say("RSET")
            replace(f, NEW)
            equal(changed(f)["detail"], "rules.json")
            # In a connection that there is; nobody lost one.
            begins(c.send(to="new@zone.example"), "250 2.0.0")


@case
def takes_a_file_that_was_written_in_place(program):
    with Forwarder(program) as f:
        f.start()
        with open(f.path / "rules.json", "r+") as file:
            file.truncate()
            for i in range(0, len(NEW), 100):
                file.write(NEW[i:i + 100])
                file.flush()
                time.sleep(0.03)
        changed(f)
        with f.client() as c:
            begins(c.send(to="new@zone.example"), "250 2.0.0")


@case
def takes_links_that_point_elsewhere(program):
    """As Kubernetes has it: a link to a file behind a link to a folder."""
    with Forwarder(program) as f:
        for name, text in (("one", json.dumps(RULES)), ("two", NEW)):
            (f.path / name).mkdir()
            (f.path / name / "rules.json").write_text(text)
        (f.path / "data").symlink_to("one")
        (f.path / "rules.json").unlink()
        (f.path / "rules.json").symlink_to("data/rules.json")
        f.start()
        (f.path / "fresh").symlink_to("two")
        os.rename(f.path / "fresh", f.path / "data")
        changed(f)
        # And the file itself, where it is now.
        (f.path / "two" / "rules.json").write_text(json.dumps(RULES))
        changed(f, count=2)


@case
def many_changes_are_read_once(program):
    with Forwarder(program) as f:
        f.start()
        for i in range(20):
            replace(f, with_rule(f"n{i}@zone.example", {"type": "drop"}))
            time.sleep(0.01)
        changed(f)
        time.sleep(0.5)
        changed(f)
        with f.client() as c:
            begins(c.send(to="n19@zone.example"), "250 2.0.0")


@case
def other_files_of_the_folder_do_not_matter(program):
    with Forwarder(program) as f:
        f.start()
        for i in range(5):
            f.write(f"other{i}", "x")
            time.sleep(0.1)
        time.sleep(0.4)
        equal(f.events("rules-"), [])


@case
def keeps_its_rules_when_the_file_is_broken(program):
    with Forwarder(program) as f:
        f.start()
        replace(f, '{"version": 1,\n "zones": 7}')
        begins(changed(f, "rules-failed")["detail"], "rules.json:2: zones")
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")
        replace(f, NEW)
        changed(f, count=2)
        with f.client() as c:
            begins(c.send(to="new@zone.example"), "250 2.0.0")
        # Gone is no change; a broken one is told once.
        (f.path / "rules.json").unlink()
        time.sleep(0.4)
        changed(f, count=2)
        with f.client() as c:
            begins(c.send(to="new@zone.example"), "250 2.0.0")


def compile_to(f, name, text):
    f.write("source.json", text)
    subprocess.run([ONWARD, "rules", "compile", "source.json", "fresh"],
                   cwd=f.path, check=True, timeout=60)
    os.rename(f.path / "fresh", f.path / name)


@case
def an_image_is_taken_like_a_file_of_rules(program):
    """Renamed over the one that is mapped; a damaged one changes nothing."""
    with Forwarder(program) as f:
        compile_to(f, "rules.image", json.dumps(RULES))
        f.start(rules="rules.image")
        with f.client() as c:
            begins(c.envelope(to="new@zone.example"), "550 5.1.1")
            c.say("RSET")
            compile_to(f, "rules.image", NEW)
            equal(changed(f)["detail"], "rules.image")
            begins(c.send(to="new@zone.example"), "250 2.0.0")
            good = (f.path / "rules.image").read_bytes()
            for count, bad in enumerate((good[:len(good) // 2], b"\0" * 4096,
                                         good[:20] + b"\xff" + good[21:])):
                f.write("fresh", bad)
                os.rename(f.path / "fresh", f.path / "rules.image")
                event = changed(f, "rules-failed", count + 2)
                begins(event["detail"], "rules.image:")
            # And by a signal, which says so too.
            f.signal(signal.SIGHUP)
            assert until(lambda: f.events("reload-failed"))
            begins(f.events("reload-failed")[0]["detail"], "rules.image:")
            begins(c.send(to="void@zone.example"), "250 2.0.0")
            compile_to(f, "rules.image", json.dumps(RULES))
            changed(f, count=5)
            begins(c.envelope(to="new@zone.example"), "550 5.1.1")


@case
def a_message_keeps_the_rules_that_it_began_with(program):
    with Forwarder(program) as f, Hop(f) as hop:
        f.start()
        with f.client() as c:
            begins(c.envelope(), "250")
            replace(f, '{"version": 1}')
            changed(f)
            begins(c.say("DATA"), "354")
            c.write(b"From: ann@sender.example\r\n\r\nHello.\r\n.\r\n")
            equal(c.reply(), "250 2.0.0 taken")
            begins(c.envelope(), "550 5.7.1")
        equal(len(hop.messages), 1)


@case
def sighup_and_a_change_are_read_once(program):
    with Forwarder(program) as f:
        f.start()
        replace(f, NEW)
        equal(f.reload()["event"], "reloaded")
        time.sleep(0.5)
        equal(f.events("rules-"), [])
        # Another file by another name, and no longer the old one.
        f.write("other.json", json.dumps(RULES))
        f.configure(rules="other.json")
        equal(f.reload()["event"], "reloaded")
        replace(f, json.dumps(RULES))
        time.sleep(0.5)
        equal(f.events("rules-"), [])
        replace(f, NEW, "other.json")
        equal(changed(f)["detail"], "other.json")


# ---- What changed ---------------------------------------------------------

def audit(f, count):
    assert until(lambda: len(f.events("audit")) >= count), f.events("audit")
    lines = f.events("audit")
    for line in lines:
        assert line.pop("time")
        equal(line.pop("event"), "audit")
    equal(len(lines), count)
    return lines


@case
def row_80_rules_that_were_added_changed_and_taken_away(program):
    with Forwarder(program) as f:
        f.start()
        rules = json.loads(NEW)
        del rules["zones"][0]["rules"][0]
        rules["zones"][0]["rules"][2]["actions"] = [
            {"type": "reject", "text": "gone"}]
        rules["zones"][0]["catch_all"] = {
            "name": "rest", "matchers": [{"type": "all"}],
            "actions": [{"type": "drop"}]}
        replace(f, json.dumps(rules))
        lines = audit(f, 4)
        for line in lines:
            equal((line.pop("what"), line.pop("zone")),
                  ("rule", "zone.example"))
        equal(sorted(lines, key=lambda line: line["address"]), [
            {"change": "added", "address": "*@zone.example", "name": "rest",
             "after": "catch_all"},
            {"change": "added", "address": "new@zone.example", "after": 4},
            {"change": "deleted", "address": "one@zone.example", "before": 0},
            {"change": "updated", "address": "void@zone.example", "before": 3,
             "after": 2}])


@case
def row_80_addresses_and_their_states(program):
    with Forwarder(program) as f:
        f.start()
        rules = json.loads(json.dumps(RULES))
        rules["addresses"][1]["verified"] = None
        rules["addresses"].append({"email": "new@one.example",
                                   "verified": "2026-11-22T10:00:00Z"})
        f.write("rules.json", json.dumps(rules))
        equal(f.reload()["event"], "reloaded")
        lines = audit(f, 2)
        equal(sorted(lines, key=lambda line: line["address"]), [
            {"change": "updated", "what": "address", "zone": None,
             "address": "box@two.example", "was": "verified",
             "is": "unverified"},
            {"change": "added", "what": "address", "zone": None,
             "address": "new@one.example", "is": "verified"}])
        replace(f, json.dumps(RULES))
        (deleted,) = [e for e in audit(f, 4) if e["change"] == "deleted"]
        equal((deleted["address"], deleted["was"]),
              ("new@one.example", "verified"))


@case
def row_80_zones_that_come_and_go(program):
    with Forwarder(program) as f:
        f.start()
        rules = json.loads(json.dumps(RULES))
        rules["zones"].append({"name": "more.example"})
        rules["zones"][0]["enabled"] = False
        replace(f, json.dumps(rules))
        lines = audit(f, 2)
        for change, zone in (("added", "more.example"),
                             ("disabled", "zone.example")):
            assert {"change": change, "what": "zone", "zone": zone} in lines
        rules["zones"][0]["enabled"] = True
        rules["zones"][0]["settings"] = {"support_subaddress": True}
        del rules["zones"][1]
        replace(f, json.dumps(rules))
        lines = audit(f, 4)[2:]
        for change, zone in (("deleted", "more.example"),
                             ("enabled", "zone.example")):
            assert {"change": change, "what": "zone", "zone": zone} in lines
        rules["zones"][0]["settings"] = {}
        replace(f, json.dumps(rules))
        equal(audit(f, 5)[4:], [{"change": "updated", "what": "zone",
                                 "zone": "zone.example"}])


@case
def what_did_not_change_is_no_line(program):
    with Forwarder(program) as f:
        f.start()
        replace(f, json.dumps(RULES))
        changed(f)
        replace(f, "{")
        changed(f, "rules-failed", 2)
        equal(f.reload()["event"], "reload-failed")
        equal(f.events("audit"), [])


case.main()
