#!/usr/bin/env python3
"""worker_host.py FORWARDER CACHE LIBONWARD.so ONWARD.FFI.JSON [CASE...]: Email
Workers as their users write them, in examples/worker-host, behind the real
forwarder; next hops are scripted. npm's packages go to CACHE."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

import npm

sys.path.insert(0, str(npm.ROOT / "tests/forwarder"))
from forwarder import (RULES, Cases, Forwarder, Hop, MESSAGE,  # noqa: E402
                       begins, equal, holds, until)

case = Cases()
CODE = "code@zone.example"
ZONE_MORE = """\
sender.example. 60 IN MX 10 mx.sender.example.
mx.sender.example. 60 IN A 127.0.0.13
"""
NODE = os.environ.get("ONWARD_TEST_NODE", "node")
TREE = None  # a copy of examples, with node_modules


class Host:
    """A worker, its host, and a forwarder that knows it. code: a module, or a
    recipe's name; wrangler: lines beside main."""

    def __init__(self, program, code, wrangler=None, args=(), **settings):
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        os.symlink(TREE / "node_modules", self.path / "node_modules")
        (self.path / "src").mkdir()
        name = "src/worker.js"
        if code.endswith(".js"):
            code = (TREE / "worker-host/recipes" / code).read_text()
        (self.path / name).write_text(code)
        text = (TREE / "worker-host/wrangler.toml").read_text()
        text = re.sub('^main = .*$', f'main = "{name}"', text, flags=re.M)
        (self.path / "wrangler.toml").write_text(
            text if wrangler is None else f'main = "{name}"\n{wrangler}')
        self.forwarder = Forwarder(program)
        rules = json.loads(json.dumps(RULES))
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to", "value": CODE}],
             "actions": [{"type": "worker", "value": ["robot"]}]})
        self.forwarder.write("rules.json", json.dumps(rules))
        self.forwarder.write("zone.txt", (self.forwarder.path
                                          / "zone.txt").read_text() + ZONE_MORE)
        self.forwarder.start(handler=f"robot unix:{self.path}/worker.sock",
                             handler_timeout_s=settings.pop("timeout_s", 20),
                             **settings)
        host, port = self.forwarder.addresses[0]
        try:
            self.start([a.replace("SMTP", f"{host}:{port}") for a in args])
        except BaseException:
            self.forwarder.__exit__(None)
            raise

    def start(self, args):
        self.errors = open(self.path / "errors.txt", "wb")
        self.process = subprocess.Popen(
            [NODE, TREE / "worker-host", "--config", "wrangler.toml", *args],
            cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors)
        self.ready = self.process.stdout.readline().decode().split()
        if self.ready[:2] != ["ready", f"unix:{self.path}/worker.sock"]:
            self.process.wait(20)
            raise AssertionError(self.said())
        self.lines = []
        threading.Thread(target=lambda out: self.lines.extend(out),
                         args=[self.process.stdout], daemon=True).start()

    def said(self):
        return (self.path / "errors.txt").read_text()

    def send(self, message=MESSAGE, **how):
        with self.forwarder.client(timeout=40) as c:
            return c.send(to=CODE, message=message, **how)

    def failure(self):
        return self.forwarder.events("handler-failed")[-1]["detail"]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            status = self.stop()
            if kind is not None:
                print(self.said())
            else:
                equal(status, 0)
        finally:
            self.forwarder.__exit__(kind)
            self._temporary.cleanup()


def number(n, **fields):
    """The message with another id, so that it is another one."""
    message = MESSAGE.replace(b"<1@", b"<%d@" % n)
    for name, value in fields.items():
        field = name.replace("_", "-").encode()
        message = re.sub(rb"(?m)^%s: .*\r\n" % field, b"", message)
        message = b"%s: %s\r\n" % (field, value.encode()) + message
    return message


def worker(body, more=""):
    return (f'import {{ EmailMessage }} from "cloudflare:email";\n{more}\n'
            "export default {\n  async email(message, env, ctx) {\n"
            f"{body}\n  }},\n}};\n")


# ---- The announcement's two ------------------------------------------------------

TICK = ["--smtp", "SMTP", "--tick", CODE]


@case
def sends_a_message_of_mimetext(program):
    with Host(program, "send.js", args=[*TICK, "--http", "127.0.0.1:0"]) as h, \
            Hop(h.forwarder, 1) as one:
        with urllib.request.urlopen(h.ready[2], timeout=30) as page:
            equal(page.read(), b"Sent.")
        assert until(lambda: one.messages)
        ((sender, to, octets),) = one.messages
        equal((sender, to), (CODE, ["box@one.example"]))
        holds(octets, b"Nobody typed this.")
        (line,) = h.forwarder.events("queued")
        equal(line["origin"], "made")


@case
def replies_to_a_message(program):
    with Host(program, "reply.js") as h, Hop(h.forwarder, 1) as one, \
            Hop(h.forwarder, 3) as back:
        begins(h.send(), "250 2.0.0")
        equal(len(one.messages), 1)
        assert until(lambda: back.messages)
        ((sender, to, octets),) = back.messages
        equal((sender, to), (CODE, ["ann@sender.example"]))
        for text in (b'"hello" has the number 1.',
                     b"In-Reply-To: <1@sender.example>\r\n",
                     b"Auto-Submitted: auto-replied\r\n"):
            holds(octets, text)


@case
def the_readme(program):
    """Its worker with its wrangler file, its command line, and its error."""
    text = (npm.ROOT / "examples/worker-host/README.md").read_text()
    code, = re.findall(r"^```js\n(.*?)^```$", text, re.M | re.S)
    wrangler, = re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)
    equal(code.count("\n"), 5)
    with Host(program, code, re.sub("(?m)^main = .*$", "", wrangler),
              args=[*TICK, "--http", "127.0.0.1:0"]) as h, \
            Hop(h.forwarder, 1) as one:
        begins(h.send(), "250 2.0.0")
        equal(len(one.messages), 1)
    commands = re.findall(r"^    node examples/worker-host (.*(?:\\\n.*)*)$", text,
                          re.M)
    equal(len(commands), 2)
    usage = subprocess.run([NODE, TREE / "worker-host", "--help"], timeout=60,
                           capture_output=True, text=True).stdout
    for option in re.findall(r"--[a-z-]+", "".join(commands)):
        holds(usage, option)
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name) / "wrangler.toml"
        path.write_text(wrangler.replace("allowed_sender_addresses",
                                         "destnation_address"))
        (path.parent / "worker.js").write_text(code)
        done = subprocess.run(
            [NODE, TREE / "worker-host", "--config", path.name], timeout=60,
            cwd=name, capture_output=True, text=True)
        line, = re.findall(r"^    (wrangler\.toml:\d+: .*)$", text, re.M)
        holds(done.stderr, re.sub(r":\d+:", ":9:", line))
        holds(done.stderr, line)


# ---- What people write -------------------------------------------------------------

@case
def an_allow_list(program):
    with Host(program, "allow-list.js") as h, Hop(h.forwarder, 1) as one:
        begins(h.send(), "250 2.0.0")
        equal(h.send(message=number(2), sender="eve@sender.example"),
              "555 5.7.1 Address not allowed")
        equal(len(one.messages), 1)


@case
def a_block_list(program):
    with Host(program, "block-list.js") as h, Hop(h.forwarder, 1) as one:
        begins(h.send(), "250 2.0.0")
        equal(h.send(message=number(2), sender="hater@sender.example"),
              "555 5.7.1 Address is blocked")
        equal(len(one.messages), 1)


@case
def a_subject_filter(program):
    with Host(program, "subject-filter.js") as h, Hop(h.forwarder, 1) as one:
        equal(h.send(message=number(1, Subject="the Lottery")),
              "555 5.7.1 No spam please")
        begins(h.send(message=number(2, Subject="[urgent] now")), "250 2.0.0")
        begins(h.send(message=number(3, Subject="later")), "250 2.0.0")
        equal([b"x-priority-mail: yes\r\n" in m[2].lower()
               for m in one.messages], [True, False])


@case
def forwards_to_several(program):
    with Host(program, "forward-to-several.js") as h, \
            Hop(h.forwarder, 1, rcpt="550 5.1.1 nobody here") as one, \
            Hop(h.forwarder, 2) as two:
        begins(h.send(), "250 2.0.0")
        equal((len(one.messages), len(two.messages)), (0, 1))
        # What both refuse, and what is not verified.
        assert until(lambda: len(h.lines) == 2)
        equal(sorted(h.lines), [
            b"not forwarded: could not send email: permanent error (5xx): "
            b"550 5.1.1 nobody here\n",
            b"not forwarded: destination address not verified\n"])
        two.says["RCPT"] = "450 4.2.1 not now"
        begins(h.send(message=number(2)), "451 4.3.0")
        holds(h.failure(), "nobody took it")


@case
def an_auto_reply(program):
    with Host(program, "auto-reply.js") as h, Hop(h.forwarder, 1) as one, \
            Hop(h.forwarder, 3) as back:
        begins(h.send(), "250 2.0.0")
        assert until(lambda: back.messages)
        holds(back.messages[0][2], b"I am away until Monday.")
        holds(back.messages[0][2], b"text/html")
        begins(h.send(message=number(2, Auto_Submitted="auto-generated")),
               "250 2.0.0")
        equal((len(one.messages), len(back.messages)), (2, 1))
        assert until(lambda: h.lines)
        begins(h.lines[0], b"no reply: ")


@case
def a_trigger_that_is_due(program):
    with Host(program, "report.js", args=[*TICK, "--run-cron", "0 7 * * *"]) \
            as h, Hop(h.forwarder, 1) as one:
        assert until(lambda: one.messages, 20)
        ((sender, to, octets),) = one.messages
        equal((sender, to), (CODE, ["box@one.example"]))
        holds(octets, b"All is well.")
        # An ordinary message is no tick, whatever it says; and there is no
        # email() here.
        begins(h.send(message=number(5, X_Worker_Tick="0" * 32)), "451 4.3.0")
        holds(h.failure(), "Handler does not export an email() function")


@case
def a_trigger_without_a_way_out(program):
    with Host(program, "report.js", args=["--run-cron", "0 7 * * *"]) as h, \
            Hop(h.forwarder, 1) as one:
        assert until(lambda: "no way out of scheduled()" in h.said(), 20)
        equal(one.messages, [])


# ---- The message -------------------------------------------------------------------

@case
def what_a_message_has(program):
    code = worker("""
    const check = (name, got, want) => {
      if (JSON.stringify(got) !== JSON.stringify(want))
        throw new Error(`${name}: ${JSON.stringify(got)}`);
    };
    check("envelope", [message.from, message.to], [
      "ann@sender.example", "code@zone.example"]);
    check("size", message.rawSize, %d);
    check("can", message.canBeForwarded, true);
    check("subject", message.headers.get("SUBJECT"), "gr\u00fc\u00dfe");
    check("absent", message.headers.get("x-nothing"), null);
    check("twice", message.headers.get("x-two"), "1, 2");
    check("has", message.headers.has("From"), true);
    check("in order", [...message.headers.keys()].slice(0, 3), [
      "date", "from", "message-id"]);
    check("a copy", new Map(message.headers).get("to"), "one@zone.example");
    check("immutable", (() => {
      try { message.headers.set("a", "b"); } catch (e) { return e.message; }
    })(), "Can't modify immutable headers.");
    check("vars", [env.TEXT, env.DEEP.list], ["t", [1, 2]]);
    const raw = await new Response(message.raw).text();
    check("raw", raw.length, %d);
    check("ctx", typeof ctx.passThroughOnException, "function");
""")
    message = number(1, Subject="gr\u00fc\u00dfe").replace(
        b"To:", b"X-Two: 1\r\nX-Two: 2\r\nTo:")
    with Host(program, code % (len(message), len(message.decode())),
              'vars = { TEXT = "t", DEEP = { list = [1, 2] } }\n') as h:
        begins(h.send(message=message, more=" SMTPUTF8"), "250 2.0.0")


def by_case(bodies, more=""):
    """A worker that does as the field X-Case says."""
    return worker("switch (message.headers.get('x-case')) {" + "".join(
        f"case '{i}': {{ {body} break; }}\n"
        for i, body in enumerate(bodies)) + "}", more)


@case
def raw_is_read_once(program):
    reads = ["await new Response(message.raw).text();",
             "for await (const piece of message.raw) {}",
             "await message.raw.getReader().read();",
             "message.raw.tee();",
             "await PostalMime.parse(message.raw);",
             "await message.raw.pipeTo(new WritableStream());"]
    pairs = [first + second for first in reads for second in reads]
    with Host(program, by_case(pairs + reads,
                               'import PostalMime from "postal-mime";'),
              "") as h:
        for i in range(len(pairs)):
            begins(h.send(message=number(i, X_Case=str(i))), "451 4.3.0")
            assert re.search("disturbed|locked|unusable|already been read",
                             h.failure()), (pairs[i], h.failure())
        for i in range(len(pairs), len(pairs) + len(reads)):
            begins(h.send(message=number(i, X_Case=str(i))), "250 2.0.0")


@case
def texts_of_the_product(program):
    """Rows 23 to 42, one after the other, each caught."""
    code = worker("""
    const said = [];
    const failed = async (run) => {
      try { await run(); said.push("fine"); } catch (e) { said.push(e.message); }
    };
    const mail = (from, to, more) => new EmailMessage(from, to,
      `From: ${from}\\r\\nTo: ${to}\\r\\nMessage-ID: <${said.length}@zone.example>\\r\\n` +
      `${more ?? ""}\\r\\nhello\\r\\n`);
    const me = message.to;
    await failed(() => message.forward("nonsense"));
    await failed(() => message.forward("x@three.example"));
    await failed(() => message.forward("box@one.example"));
    await failed(() => message.forward("box@one.example"));
    await failed(() => message.forward("box@two.example", { "Received": "x" }));
    await failed(() => message.reply(mail(me, message.from)));
    await failed(() => message.reply(mail(me, message.from, "In-Reply-To: <9@x>\\r\\n")));
    await failed(() => message.reply(mail(me, "eve@sender.example",
      "In-Reply-To: <1@sender.example>\\r\\n")));
    await failed(() => message.reply(new EmailMessage(me, message.from, "no header at all")));
    await failed(() => message.reply(mail(me, message.from, "In-Reply-To: <1@sender.example>\\r\\n")));
    await failed(() => message.reply(mail(me, message.from, "In-Reply-To: <1@sender.example>\\r\\n")));
    await failed(() => env.ONE.send(mail(me, "box@two.example")));
    await failed(() => env.ONE.send(mail(me, "box@one.example", "Cc: box@two.example\\r\\n")));
    await failed(() => env.ME.send(mail("other@zone.example", "box@one.example")));
    await failed(() => env.ME.send(mail(me, "box@one.example")));
    await failed(() => env.ONE.send(new EmailMessage(me, null,
      `From: ${me}\\r\\nMessage-ID: <n@zone.example>\\r\\n\\r\\nx\\r\\n`)));
    await failed(() => env.ME.send({ from: me, to: "box@one.example", subject: "s", text: "t",
      attachments: [{ filename: "a.txt", type: "text/plain", disposition: "attachment",
        content: btoa("attached") }] }));
    await failed(() => env.ME.send({ from: me, tow: "x" }));
    await failed(() => env.ME.send({ to: "box@one.example" }));
    await failed(() => env.ME.send("text"));
    console.log(JSON.stringify(said));
""")
    with Host(program, code, """
[[send_email]]
name = "ONE"
destination_address = "box@one.example"
[[send_email]]
name = "ME"
allowed_sender_addresses = ["code@zone.example"]
""") as h, Hop(h.forwarder, 1) as one, Hop(h.forwarder, 3):
        begins(h.send(), "250 2.0.0")
        assert until(lambda: h.lines)
        said = json.loads(h.lines[0])
        wanted = [
            "destination address is invalid", "destination address not verified",
            "fine", "message already forwarded to this destination", None,
            "no In-Reply-To header found in reply message",
            "In-Reply-To does not match original Message-ID", None, None,
            "fine", None,
            "email to box@two.example not allowed",
            "email to box@two.example not allowed",
            "email from other@zone.example not allowed", "fine", "fine", "fine",
            'message: no such member "tow"', "from: expected an address", None]
        for i, (got, want) in enumerate(zip(said, wanted, strict=True)):
            assert got != "fine" if want is None else got == want, (i, got, said)
        assert until(lambda: len(one.messages) == 4)
        # The queue brings them in no order.
        equal(len([m for m in one.messages if b"YXR0YWNoZWQ=" in m[2]]), 1)


# ---- How it fails -------------------------------------------------------------------

@case
def whatever_it_does_wrong_the_sender_comes_again(program):
    fails = [
        ("no desk", 'throw new Error("no desk");'),
        ("undefined", "throw undefined;"),
        ("not a function", "message.dance();"),
        ("destination address not verified",
         'await message.forward("x@three.example");'),
        # Nobody awaits it, and it counts.
        ("destination address not verified",
         'message.forward("x@three.example");'),
        ("destination address not verified",
         'ctx.waitUntil(message.forward("x@three.example"));'),
        ("took longer than 0.5 seconds", "await new Promise(() => {});"),
        ("took longer than 0.5 seconds", "ctx.waitUntil(new Promise(() => {}));"),
        ("hung up", "process.exit(3);"),
    ]
    with Host(program, by_case([body for _, body in fails]), "",
              args=["--limit-s", "0.5"]) as h:
        for i, (why, _) in enumerate(fails):
            begins(h.send(message=number(i, X_Case=str(i))), "451 4.3.0")
            holds(h.failure(), why)
        h.process.wait(10)
        equal(h.process.returncode, 3)
        h.start([])
        begins(h.send(), "250 2.0.0")


@case
def what_is_its_own_business_does_not_hold_mail_up(program):
    with Host(program, worker("""
    ctx.waitUntil(Promise.reject(new Error("statistics")));
    Promise.reject(new Error("floating"));
    await message.forward("box@one.example");
"""), "") as h, Hop(h.forwarder, 1) as one:
        begins(h.send(), "250 2.0.0")
        equal(len(one.messages), 1)
        assert until(lambda: "floating" in h.said() and "statistics" in h.said())
        begins(h.send(message=number(2)), "250 2.0.0")


@case
def one_that_is_late_does_nothing_afterwards(program):
    with Host(program, worker("""
    await new Promise((resolve) => setTimeout(resolve, 700));
    try {
      await message.forward("box@one.example");
    } catch (e) {
      console.log(e.message);
    }
"""), "", args=["--limit-s", "0.3"]) as h, Hop(h.forwarder, 1) as one:
        begins(h.send(), "451 4.3.0")
        assert until(lambda: h.lines)
        equal((h.lines, one.messages), ([b"the event is over\n"], []))


@case
def several_at_a_time_and_a_large_one(program):
    code = worker("""
    const length = (await new Response(message.raw).arrayBuffer()).byteLength;
    await new Promise((resolve) => setTimeout(resolve, 200));
    message.setReject(String(length === message.rawSize));
""")
    with Host(program, code, "") as h:
        large = MESSAGE + (b"x" * 70 + b"\r\n") * 60000
        got = []
        threads = [threading.Thread(target=lambda m=m: got.append(
            h.send(message=m))) for m in [large] + [MESSAGE] * 10]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(got, ["555 5.7.1 true"] * 11)


@case
def requests_and_responses_are_whole(program):
    """Each Set-Cookie, a body of GET, and a path that looks like a host."""
    dated = "a=1; Expires=Sun, 22 Nov 2026 10:00:00 GMT"
    code = """export default { fetch(request) {
      const headers = new Headers({ "X-Host": new URL(request.url).host });
      headers.append("Set-Cookie", "a=1; Expires=Sun, 22 Nov 2026 10:00:00 GMT");
      headers.append("Set-Cookie", "b=2");
      return new Response("seen", { status: 203, headers });
    } };
"""
    with Host(program, code, "", args=["--http", "127.0.0.1:0"]) as h:
        host = h.ready[2].removeprefix("http://")
        for path, body in (("/", None), ("/", b"hi"), ("//other.example/", None),
                           ("/\\other.example/", None)):
            c = http.client.HTTPConnection(host, timeout=20)
            c.request("GET", path, body)
            got = c.getresponse()
            equal((got.status, got.read(), got.headers.get_all("Set-Cookie"),
                   got.headers["X-Host"]), (203, b"seen", [dated, "b=2"], host))
            c.close()


@case
def too_many_requests_are_put_off(program):
    """So that who floods HTTP floods neither memory nor the forwarder."""
    code = """let open = 0;
let wake;
const all = new Promise((resolve) => { wake = resolve; });
export default { async fetch(request) {
  if (++open === 32) console.log("full");
  if (new URL(request.url).pathname === "/wait") await all;
  return new Response("done");
} };
setInterval(() => {}, 1000);
process.on("SIGUSR2", () => wake());
"""
    with Host(program, code, "", args=["--http", "127.0.0.1:0"]) as h:
        host = h.ready[2].removeprefix("http://")

        def ask(path):
            c = http.client.HTTPConnection(host, timeout=60)
            c.request("GET", path)
            return c

        waiting = [ask("/wait") for _ in range(32)]
        assert until(lambda: h.lines)
        c = ask("/more")
        equal(c.getresponse().status, 503)
        h.process.send_signal(signal.SIGUSR2)
        equal([c.getresponse().read() for c in waiting], [b"done"] * 32)
        equal(ask("/more").getresponse().read(), b"done")


@case
def sigterm_lets_what_runs_come_to_its_end(program):
    code = worker("""
    console.log("begun");
    await new Promise((resolve) => setTimeout(resolve, 700));
    await message.forward("box@one.example");
""")
    with Host(program, code, "") as h, Hop(h.forwarder, 1) as one:
        replies = []
        t = threading.Thread(target=lambda: replies.append(h.send()))
        t.start()
        assert until(lambda: h.lines)
        equal(h.stop(), 0)
        t.join()
        begins(replies[0], "250 2.0.0")
        equal(len(one.messages), 1)
        begins(h.send(message=number(2)), "451 4.3.0")
        h.start([])
        begins(h.send(message=number(3)), "250 2.0.0")


# ---- The wrangler file ----------------------------------------------------------------

WRONG = [
    ("toml", 'main = "w.js"\n\n[[send_email]]\nnam = "X"\n',
     '4: send_email[0].nam: no such key, expected name'),
    ("toml", 'main = "w.js"\nmian = "x"\n', "2: mian: no such key, expected main"),
    ("toml", 'main = "w.js"\n[[send_email]]\nname = "X"\n'
     'destination_address = 5\n',
     "4: send_email[0].destination_address: a number, expected a string"),
    ("toml", 'main = "w.js"\nsend_email = "x"\n',
     "2: send_email: a string, expected an array of tables"),
    ("toml", 'main = "w.js"\n[[send_email]]\ndestination_address = "a@b.c"\n',
     "2: send_email[0]: without a name"),
    ("toml", 'main = "w.js"\n[[send_email]]\nname = "X"\n[[send_email]]\n'
     'name = "X"\n', '5: send_email[1].name: "X", expected a name that'),
    ("toml", 'main = "w.js"\n[[send_email]]\nname = "X"\ndestination_address = '
     '"a@b.c"\nallowed_destination_addresses = ["a@b.c"]\n',
     "5: send_email[0]: expected destination_address or"),
    ("toml", 'main = "w.js"\n[[send_email]]\nname = "X"\n'
     'allowed_sender_addresses = ["a@b.c",\n 7]\n',
     "5: send_email[0].allowed_sender_addresses[1]: a number"),
    ("toml", 'main = "w.js"\n[triggers]\ncrons = ["0 0 * * *",\n "61 * * * *"]\n',
     '4: triggers.crons[1]: minute "61", expected 0 to 59'),
    ("toml", 'main = "w.js"\n[triggers]\ncron = []\n',
     "3: triggers.cron: no such key, expected crons"),
    ("toml", 'main = "w.js"\nkv_namespaces = []\n',
     "2: kv_namespaces: not in this host"),
    ("toml", 'name = "x"\n', "1: without main"),
    ("toml", 'name = "x"\nmain = "absent.js"\n',
     '2: main: "absent.js", no such file'),
    ("toml", 'main = "w.ts"\n', '1: main: "w.ts", expected a .js'),
    ("toml", 'main = "w.js"\n[vars\n', "3: Unterminated table-key"),
    ("toml", 'main = "w.js"\nmain = "w.js"\n', "2: "),
    ("jsonc", '{\n // a comment\n "main": "w.js",\n "send_email": [{"name": "X",\n'
     '  "destination": "a@b.c"}],\n}\n',
     "5: send_email[0].destination: no such key"),
    ("jsonc", '{"main": "w.js",\n "main": "w.js"}\n', "2: main: given twice"),
    ("jsonc", '{"main": "w.js",\n "vars": [1]}\n',
     "2: vars: an array, expected a table"),
    ("jsonc", '{"main": "w.js"\n "vars": {}}\n', "2: comma expected"),
    ("jsonc", "[]\n", "1: : an array, expected a table"),
    ("jsonc", "", "1: "),
]


@case
def a_wrangler_file_that_is_wrong_says_where(program):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "w.js").write_text("export default { email() {} };\n")
        (folder / "w.ts").write_text("export default { email() {} };\n")
        # All in one process: a start of Node takes longer than the file.
        for i, (kind, text, _) in enumerate(WRONG):
            (folder / f"wrangler{i}.{kind}").write_text(text)
        (folder / "all.mjs").write_text(f"""
import {{ readConfig }} from '{TREE}/worker-host/lib/config.js';
for (const file of {json.dumps([f'wrangler{i}.{k}' for i, (k, _, _) in
                                enumerate(WRONG)])}) {{
    try {{ readConfig(file); console.log('fine'); }}
    catch (error) {{ console.log(error.name === 'ConfigError' ? error.message : error.stack); }}
}}""")
        done = subprocess.run([NODE, "all.mjs"], cwd=folder, timeout=60,
                              capture_output=True, text=True)
        said = done.stdout.splitlines()
        for i, (kind, text, want) in enumerate(WRONG):
            begins(said[i], f"wrangler{i}.{kind}:{want}")
        equal(len(said), len(WRONG))
        # And so does the program.
        for file in ("wrangler0.toml", "absent.toml"):
            done = subprocess.run(
                [NODE, TREE / "worker-host", "--config", file], cwd=folder,
                timeout=60, capture_output=True, text=True)
            equal((done.returncode, done.stdout), (2, ""))
            holds(done.stderr, file)


@case
def its_command_line(program):
    def run(*args):
        return subprocess.run([NODE, TREE / "worker-host", *args], timeout=60,
                              cwd=TREE / "worker-host", capture_output=True,
                              text=True)

    holds(run("--help").stdout, "usage: node worker-host")
    begins(run("--version").stdout, "onward-worker-host 0.")
    equal(run("--config", "wrangler.toml", "--check").returncode, 0)
    for args, why in ((["--dance"], "--dance"), ([], "--config is missing"),
                      (["--config", "x", "--limit-s", "a"], "expected 0.1 to 600"),
                      (["--config", "x", "--tick", "a@b.c"], "together"),
                      (["--config", "x", "--http", "80"], "expected HOST:PORT")):
        done = run(*args)
        equal((done.returncode, done.stdout), (2, ""))
        holds(done.stderr, why)


@case
def cron_triggers(program):
    """Rows of the service's documentation and of crontab(5); 1 is Sunday."""
    rows = [
        ("* * * * *", "2026-11-22T10:00:30Z", "2026-11-22T10:01:00Z"),
        ("*/30 * * * *", "2026-11-22T10:00:00Z", "2026-11-22T10:30:00Z"),
        ("45 * * * *", "2026-11-22T10:50:00Z", "2026-11-22T11:45:00Z"),
        ("0 17 * * SUN", "2026-11-22T17:00:00Z", "2026-11-29T17:00:00Z"),
        ("0 17 * * 1", "2026-11-22T10:00:00Z", "2026-11-22T17:00:00Z"),
        ("10 7 * * mon-fri", "2026-11-22T10:00:00Z", "2026-11-23T07:10:00Z"),
        ("59 23 29 2 *", "2026-11-22T10:00:00Z", "2028-02-29T23:59:00Z"),
        ("0 0 1 JAN *", "2026-11-22T10:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 13 * 6", "2026-11-22T10:00:00Z", "2026-11-27T00:00:00Z"),
        ("5/20 3 * * *", "2026-11-22T03:05:00Z", "2026-11-22T03:25:00Z"),
        ("0 0 31 2 *", "2026-11-22T10:00:00Z", None)]
    wrong = ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *",
             "* * 0 * *", "* * * 13 *", "* * * * 0", "* * * * 8", "a * * * *",
             "1-2-3 * * * *", "5-1 * * * *", "*/0 * * * *", ", * * * *"]
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name) / "cron.mjs"
        path.write_text(f"""
import {{ parseCron }} from '{TREE}/worker-host/lib/cron.js';
for (const [text, at] of {json.dumps([r[:2] for r in rows])}) {{
    const next = parseCron(text).next(Date.parse(at));
    console.log(next === null ? 'null' : new Date(next).toISOString());
}}
for (const text of {json.dumps(wrong)}) {{
    try {{ parseCron(text); console.log('fine: ' + text); }}
    catch (error) {{ console.log('wrong'); }}
}}""")
        done = subprocess.run([NODE, path], timeout=60, capture_output=True,
                              text=True)
        equal(done.stdout.splitlines(),
              ["null" if r[2] is None else r[2].replace("Z", ".000Z")
               for r in rows] + ["wrong"] * len(wrong))


def main():
    global TREE
    cache, library, declarations = map(
        lambda p: pathlib.Path(p).resolve(), sys.argv[2:5])
    os.environ.update(ONWARD_LIBRARY=str(library),
                      ONWARD_DECLARATIONS=str(declarations))
    del sys.argv[2:5]
    with tempfile.TemporaryDirectory() as name:
        TREE = pathlib.Path(name)
        npm.prepare(cache, TREE, npm.ROOT / "examples/worker-host")
        for part in ("worker-host", "bindings/node"):
            shutil.copytree(npm.ROOT / "examples" / part, TREE / part)
        case.main()


main()
