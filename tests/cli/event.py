#!/usr/bin/env python3
"""event.py ONWARD: what handlers that are commands may answer, and what becomes
of the message then: row 17 of the product, and doc/handlers.md."""
import base64
import json
import sys
import time

from cli import Count, Folder

folder = Folder(sys.argv[1])
count = Count()

RULES = {"version": 1, "zones": [{"name": "example.com", "rules": [
    {"matchers": [{"type": "literal", "field": "to",
                   "value": f"{name}@example.com"}],
     "actions": [action]} for name, action in {
        "me": {"type": "forward", "value": ["me@dest.example"]},
        "list": {"type": "failover",
                 "value": ["one@dest.example", "two@dest.example"]},
        "code": {"type": "handler", "value": ["robot"]},
        "null": {"type": "drop"},
        "gone": {"type": "reject", "text": "Moved"},
    }.items()]}],
    "addresses": [{"email": f"{name}@dest.example", "verified": True}
                  for name in ("me", "one", "two")]}
(folder.path / "r.json").write_text(json.dumps(RULES))
(folder.path / "z.txt").write_text(
    'a.example TXT "v=spf1 ip4:192.0.2.9 -all"\n'
    '_dmarc.a.example TXT "v=DMARC1; p=reject"\n')
(folder.path / "m.eml").write_text(
    "From: Ann <ann@a.example>\nTo: me@example.com\n"
    "Message-ID: <one@a.example>\nSubject: hi\n\nHello.\n" + "x" * 70 + "\n")
(folder.path / "big.eml").write_text(
    "From: Ann <ann@a.example>\n\n" + ("y" * 70 + "\n") * 20000)


def play(to, *more, message="m.eml", ip="192.0.2.9", handler=None):
    args = ["event", "--from", "ann@a.example", "--to", f"{to}@example.com",
            "--rules", "r.json", "--dns", "z.txt", "--ip", ip, *more]
    if handler is not None:
        args += ["--handler", handler]
    done = folder.run([*args, message])
    if done.returncode not in (0, 1) or done.stderr:
        raise SystemExit(f"{args}: {done.returncode} {done.stderr.decode()}")
    return json.loads(done.stdout)


def answer(actions):
    """A command that says this."""
    text = base64.b64encode(json.dumps({"actions": actions}).encode()).decode()
    return f"echo {text} | base64 -d"


def check(name, got, **want):
    faults = [f"{key} is {got.get(key)!r}, expected {value!r}"
              for key, value in want.items() if got.get(key) != value]
    count.check(name, faults)


# ---- The rules alone --------------------------------------------------------

got = play("me")
check("row 17: forwarded", got, outcome="Forwarded", rejectReason=None,
      replies=[], events=[], action="forward", spf="pass", dmarc="pass",
      isNDR=False, messageId="one@a.example", subject="hi")
check("its forward", got["forwards"][0], to="me@dest.example",
      fate="delivered")
check("row 78: dropped", play("null"), outcome="Dropped", forwards=[],
      action="drop")
check("row 78: rejected at RCPT", play("gone"), outcome="Rejected",
      rejectReason="Moved", reason="rcpt")
check("row 78: rejected by policy", play("me", ip="192.0.2.8"),
      outcome="Rejected", reason="dmarc")
got = play("me", "--fail", "me@dest.example=450 4.2.1 Busy")
check("row 78: delivery failed", got, outcome="Delivery failed",
      rejectReason="Busy")
got = play("list", "--fail", "one@dest.example=550 5.1.1 No")
check("a failover list", got, outcome="Forwarded")
check("its first", got["forwards"][0], fate="permanent")
check("its second", got["forwards"][1], fate="delivered")
got = play("list")
check("a spare", got["forwards"][1], fate="spare")

# ---- What a handler may do --------------------------------------------------

check("row 78: no handler", play("code"), outcome="Error", reason="handler")
check("row 25: nothing done", play("code", handler="true"),
      outcome="Handled", rejectReason=None)
check("an empty object", play("code", handler="echo {}"), outcome="Handled")
check("does not read, a big message",
      play("code", handler="true", message="big.eml"), outcome="Handled")
check("row 22: reject", play("code", handler=answer([
    {"action": "reject", "code": 555, "text": "No, thank you"}])),
    outcome="Rejected", rejectReason="No, thank you", reply={
        "code": 555, "enhanced": "5.7.1", "text": "No, thank you"})
got = play("code", handler=answer([
    {"action": "forward", "to": "me@dest.example",
     "fields": {"X-Seen": "J\u00fcrgen"}},
    {"action": "reply", "message": {
        "from": {"email": "code@example.com", "name": "R\u00f6bot"},
        "subject": "Re: hi", "text": "Thank you"}},
    {"action": "send", "raw": "From: code@example.com\nTo: one@dest.example\n"
                              "Message-ID: <x@example.com>\n\nNews\n"}]))
check("all of it", got, outcome="Forwarded")
count.check("row 23: the field", [] if got["forwards"][0]["raw"].startswith(
    "X-Seen: =?UTF-8?Q?J=C3=BCrgen?=\r\n") else ["is not there"])
reply = got["replies"][0]
check("the reply", reply, to=["ann@a.example"])
for field in ("Auto-Submitted: auto-replied", "In-Reply-To: <one@a.example>",
              "References: <one@a.example>", "To: ann@a.example"):
    count.check(f"A113: {field}", [] if f"\r\n{field}\r\n" in
                "\r\n" + reply["raw"] else [reply["raw"]])
check("the letter", got["sends"][0], to=["one@dest.example"],
      messageId="x@example.com")
event = ('test "$ONWARD_FROM $ONWARD_TO $ONWARD_HANDLER" = '
         '"ann@a.example code@example.com robot" && '
         'echo "$ONWARD_EVENT" | grep -q \'"dmarc":"pass"\' && '
         'grep -q "^Subject: hi"')
check("what it hears", play("code", handler=event), outcome="Handled")

# ---- What it may not --------------------------------------------------------

for action, word in [
        ({"action": "forward", "to": "new@dest.example"},
         "E_DESTINATION_NOT_VERIFIED"),
        ({"action": "forward", "to": "code@example.com"}, "E_LOOP"),
        ({"action": "forward", "to": "nobody"}, "E_DESTINATION_INVALID"),
        ({"action": "forward", "to": "me@dest.example",
          "fields": {"Received": "by me"}}, "E_HEADER_NOT_ALLOWED"),
        ({"action": "forward", "to": "me@dest.example",
          "fields": {"X-A": "b\r\nX-B: c"}}, "E_HEADER_VALUE_INVALID"),
        ({"action": "forward", "to": "me@dest.example",
          "fields": {"X-A\nb": "c"}}, "E_HEADER_NAME_INVALID"),
        ({"action": "reply", "raw": "From: code@example.com\n\n"},
         "E_NO_MESSAGE_ID"),
        ({"action": "send", "message": {"from": "a@other.example",
                                        "to": "one@dest.example"}},
         "E_SENDER_DOMAIN_NOT_AVAILABLE"),
        ({"action": "send", "message": {"from": "code@example.com",
                                        "to": "one@dest.example",
                                        "bcc": "any@dest.example"}},
         "E_RECIPIENT_NOT_ALLOWED")]:
    got = play("code", handler=answer([action]))
    check(f"refused: {word}", got, outcome="Error", reason="handler")
    said = got["events"][0]["error"] or ""
    count.check(f"says {word}", [] if word in said else [said])

got = play("code", handler=answer([{"action": "send", "message": {
    "from": "code@example.com", "to": "one@dest.example",
    "bcc": "two@dest.example", "subject": "s", "text": "t"}}]))
check("row 42: Bcc gets it, and nobody sees", got["sends"][0],
      to=["one@dest.example", "two@dest.example"])
count.check("row 42: not in the message", ["it is"] if "two@dest" in
            got["sends"][0]["raw"] else [])

check("optional", play("code", handler=answer([
    {"action": "forward", "to": "new@dest.example", "optional": True},
    {"action": "forward", "to": "me@dest.example"}])), outcome="Forwarded")
check("optional, and it fails", play("code", "--fail",
      "one@dest.example=550 5.1.1 No", handler=answer([
          {"action": "forward", "to": "one@dest.example", "optional": True},
          {"action": "forward", "to": "me@dest.example"}])),
      outcome="Forwarded")

# ---- Bindings, tickets ------------------------------------------------------

letter = answer([{"action": "send", "message": {
    "from": "code@example.com", "to": "one@dest.example", "subject": "s",
    "text": "t"}}])
check("row 41: a binding that has it", play(
    "code", "--send", "to one@dest.example", "--send", "from code@example.com",
    handler=letter), outcome="Handled")
for line in ("to two@dest.example", "only two@dest.example",
             "from boss@example.com"):
    check(f"row 41: {line}", play("code", "--send", line, handler=letter),
          outcome="Error", reason="handler")
(folder.path / "short.txt").write_text("short\n")
(folder.path / "t.txt").write_text("sixteen octets, or a few more\n")
got = play("code", "--token-secret", "t.txt", handler="true")
count.check("a ticket", [] if len(got["events"][0]["ticket"]) > 60
            else [str(got["events"])])
got = play("code", "--token-secret", "t.txt",
           handler='echo "$ONWARD_EVENT" | grep -q \'"ticket":"[A-Za-z0-9_-]\'')
check("the handler has it", got, outcome="Handled")
check("no ticket", play("code", handler="true")["events"][0], ticket=None)
for more, want in ((["--send", "with a@b.example"], b"expected to, only or"),
                   (["--token-secret", "short.txt"], b"16 octets")):
    done = folder.run(["event", "--to", "code@example.com", "--rules", "r.json",
                       "--dns", "z.txt", *more, "m.eml"])
    count.check(f"refuses {more}", [] if want in done.stderr
                and done.returncode in (2, 3) else [str(done.stderr)])

# ---- A reply later ----------------------------------------------------------

later = Folder(sys.argv[1])
later.fill_ticket()


def reply(*more, message="answer.eml", ticket="ticket.txt"):
    return later.run(["reply", "--ticket", ticket, "--token-secret",
                      "tokens.txt", "--state", "state", *more, message])


def refused(name, done, want):
    count.check(f"reply later: {name}", [] if done.returncode == 3
                and want in done.stderr else [str(done)])


good = (later.path / "answer.eml").read_text()
for name, old, new, want in (
        ("to another", "<one@a", "<three@a", b"E_REPLY_IN_REPLY_TO"),
        ("from another domain", "desk@example.com", "desk@example.org",
         b"E_REPLY_DOMAIN"),
        ("with a trace", "Subject:", "Received: by me\nSubject:", b"E_"),
        ("not automatic", "Auto-Submitted", "X-Auto", b"expected Auto-Sub")):
    (later.path / "other.eml").write_text(good.replace(old, new, 1))
    refused(name, reply(message="other.eml"), want)
text = (later.path / "ticket.txt").read_text()
(later.path / "bad.txt").write_text(
    text[:20] + ("A" if text[20] != "A" else "B") + text[21:])
refused("a ticket that was changed", reply(ticket="bad.txt"),
        b"E_TICKET_INVALID")
spooled = later.path / "state/spool/messages"
count.check("reply later: nothing so far", list(map(str, spooled.iterdir())))
done = reply()
count.check("reply later", [] if done.returncode == 0
            and [p.name for p in spooled.iterdir()] == done.stdout.decode(
            ).split() else [str(done)])
octets = next(spooled.iterdir()).read_bytes()
count.check("reply later: as it was written", [] if good.replace(
    "\n", "\r\n").encode() in octets and b"ann@a.example" in octets
    else [str(octets)])
refused("once", reply(), b"answered before")

# ---- Bad answers ------------------------------------------------------------

BAD = ["garbage", "[]", "1", "{", '{"actions":{}}', '{"actions":[1]}',
       '{"actions":[{"action":"dance"}]}', '{"actions":[{}]}',
       '{"actions":[{"action":"reject","code":200}]}',
       '{"actions":[{"action":"reject","code":1e99}]}',
       '{"actions":[{"action":"reject","code":550.5}]}',
       '{"actions":[{"action":"reject","enhanced":"4.0.0"}]}',
       '{"actions":[{"action":"reject","tekst":"a"}]}',
       '{"actions":[{"action":"reject","text":1}]}',
       '{"actions":[{"action":"reply"}]}',
       '{"actions":[{"action":"reply","raw":"a","message":{}}]}',
       '{"actions":[{"action":"send","message":[]}]}',
       '{"actions":[],"actions":[]}', '{"actions":[]} x',
       '{"actions":[{"action":"\\ud800"}]}', '[' * 100, '{"a":"\\u00"}']
for text in BAD:
    done = base64.b64encode(text.encode()).decode()
    got = play("code", handler=f"echo {done} | base64 -d")
    check(f"bad answer {text[:40]}", got, outcome="Error", reason="handler",
          forwards=[])
for name, command in {
        "exit status": "echo {}; exit 3", "signal": "kill -9 $$",
        "no such command": "exec 2>/dev/null; /nowhere/at/all",
        "a gigabyte": "yes '{}'"}.items():
    began = time.monotonic()
    got = play("code", handler=command)
    check(f"a handler with {name}", got, outcome="Error", reason="handler",
          rejectReason="The handler of this address has failed, try again "
                       "later")
    count.check(f"{name}: at once", [] if time.monotonic() - began < 15 else
                ["took long"])
count.finish()
