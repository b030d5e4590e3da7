#!/usr/bin/env python3
"""ffi.py LIBONWARD.so ONWARD.FFI.H ONWARD.FFI.JSON: the library through
Python's cffi in ABI mode, by the installed declarations alone: no compiler,
callbacks in Python. And the JSON says what the declarations say."""
import gc
import json
import os
import pathlib
import sys
import time

try:
    import cffi
except ImportError:
    print("skipped: no cffi")
    sys.exit(77)

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/cli"

ffi = cffi.FFI()
ffi.cdef(pathlib.Path(sys.argv[2]).read_text())
lib = ffi.dlopen(sys.argv[1])


class Kept(list):
    """What must outlive a call: cffi frees what nothing in Python holds."""

    def __call__(self, thing):
        self.append(thing)
        return thing


keep = Kept()


def text(value):
    data = keep(ffi.from_buffer("char[]", value))
    return ffi.new("struct onward_str *", {"data": data, "len": len(value)})[0]


def octets(value):
    """A struct onward_str as bytes."""
    return bytes(ffi.buffer(value.data, value.len)) if value.len else b""


def struct(name, **fields):
    made = keep(ffi.new(f"struct {name} *"))
    made.size = ffi.sizeof(f"struct {name}")
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def must(err):
    if err < 0:
        raise RuntimeError(ffi.string(lib.onward_error_name(err)).decode())
    return err


def make(new, kind, *args):
    out = ffi.new(f"struct {kind} **")
    must(new(*args, out))
    return out[0]


# ---- The machine's side, in Python ------------------------------------------

asked = []
logged = []


@ffi.callback("int64_t(void *)")
def now_s(user):
    return int(time.time())


@ffi.callback("int(void *, void *, size_t)")
def fill(user, data, size):
    ffi.memmove(data, os.urandom(size), size)
    return 0


@ffi.callback("void(void *, const struct onward_log_event *)")
def log(user, event):
    logged.append((ffi.string(event.module), ffi.string(event.code),
                   octets(event.detail)))


@ffi.callback("int(void *, uint64_t, const char *, size_t, uint32_t)")
def query(user, token, name, name_len, kind):
    asked.append((token, bytes(ffi.buffer(name, name_len)).decode(), kind))
    return 0


def context():
    return make(lib.onward_ctx_new, "onward_ctx", struct(
        "onward_ctx_opts", clock=struct("onward_clock", now_s=now_s),
        random=struct("onward_random", fill=fill),
        log=struct("onward_log", event=log)))


# ---- Checks ------------------------------------------------------------------

def run(desk):
    while must(lib.onward_desk_run(desk, int(time.monotonic() * 1000))) == 1:
        pass


def check_spf(ctx):
    """One SPF check; DNS is answered from Python, after the question."""
    desk = make(lib.onward_desk_new, "onward_desk", ctx, ffi.NULL)
    resolver = make(lib.onward_resolver_new, "onward_resolver", desk, ffi.NULL,
                    struct("onward_resolver_host", query=query))
    ip = ffi.new("struct onward_ip *")
    must(lib.onward_ip_parse(text(b"2001:db8::25"), ip))
    done = []

    @ffi.callback("void(void *, struct onward_spf_check *)")
    def finished(user, check):
        done.append(lib.onward_spf_check_result(check))

    check = make(lib.onward_spf_check_new, "onward_spf_check", resolver,
                 struct("onward_spf_opts", client_ip=ip,
                        mail_from=text(b"alice@example.com"),
                        helo=text(b"mail.example.com")),
                 struct("onward_spf_host", done=finished))
    run(desk)
    assert [a[1:] for a in asked] == [("example.com", 16)], asked
    token = asked[0][0]
    assert lib.onward_spf_check_result(check) == 0  # pending
    answer = text(b'example.com. 60 IN TXT "v=spf1 ip6:2001:db8::/64 -all"')
    must(lib.onward_dns_answer_text(desk, token, answer, 0))
    assert done == []  # answers are only recorded
    again = lib.onward_dns_answer_text(desk, token, answer, 0)
    assert ffi.string(lib.onward_error_name(again)) == b"ONWARD_ESTALE"
    run(desk)
    result = ffi.string(lib.onward_spf_result_name(done[0])).decode()
    assert (len(done), result) == (1, "pass"), (done, result)
    assert octets(lib.onward_spf_check_mechanism(check)) \
        == b"ip6:2001:db8::/64"
    # Any order, as a garbage collector would have it.
    lib.onward_desk_free(desk)
    lib.onward_resolver_free(resolver)
    lib.onward_spf_check_free(check)
    return f"SPF: {result}"


def check_verifier(ctx):
    """A whole message, cut into small pieces; DNS from records."""
    desk = make(lib.onward_desk_new, "onward_desk", ctx, ffi.NULL)
    resolver = make(lib.onward_resolver_new, "onward_resolver", desk,
                    struct("onward_resolver_opts", allow_only_loaded=1),
                    ffi.NULL)
    fault = struct("onward_dns_fault")
    err = lib.onward_resolver_load(resolver, text(b"what?\n"), fault)
    assert err == lib.ONWARD_ESYNTAX and fault.line == 1 and octets(fault.text)
    must(lib.onward_resolver_load(
        resolver, text((DATA / "zone.txt").read_bytes()), fault))
    ip = ffi.new("struct onward_ip *")
    must(lib.onward_ip_parse(text(b"192.0.2.1"), ip))
    done = []

    @ffi.callback("void(void *, struct onward_verifier *)")
    def finished(user, verifier):
        done.append(octets(lib.onward_verifier_authres(verifier)))

    verifier = make(lib.onward_verifier_new, "onward_verifier", resolver,
                    struct("onward_verifier_opts", client_ip=ip,
                           authserv_id=text(b"mx.example.net"),
                           mail_from=text(b"alice@example.com"),
                           helo=text(b"mail.example.com")),
                    struct("onward_verifier_host", done=finished))
    message = (DATA / "signed.eml").read_bytes()
    message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    for i in range(0, len(message), 7):
        piece = message[i:i + 7]
        must(lib.onward_verifier_feed(verifier, piece, len(piece)))
    must(lib.onward_verifier_finish(verifier))
    gc.collect()
    run(desk)
    assert len(done) == 1, done
    for part in (b"spf=pass", b"dkim=pass", b"dmarc=pass"):
        assert part in done[0], done[0]
    signature = struct("onward_dkim_signature")
    must(lib.onward_verifier_dkim(verifier, 0, signature))
    assert octets(signature.domain) == b"example.com"
    assert lib.onward_verifier_dkim(verifier, 1, signature) \
        == lib.ONWARD_ENOENT
    # A binding made against a release that knew less.
    signature.size = ffi.offsetof("struct onward_dkim_signature", "detail")
    must(lib.onward_verifier_dkim(verifier, 0, signature))
    lib.onward_verifier_free(verifier)
    lib.onward_resolver_free(resolver)
    lib.onward_desk_free(desk)
    return f"verifier: {done[0].decode()}"


def check_json():
    """Each constant, struct and function, against what cffi reads."""
    said = json.loads(pathlib.Path(sys.argv[3]).read_text())
    assert said["version"] == ffi.string(lib.onward_version()).decode()
    wide = set()
    for name, value in said["constants"].items():
        if isinstance(value, str):
            wide.add(name)
        else:
            assert getattr(lib, name) == value, name
    assert "ONWARD_NEVER" in wide and "ONWARD_LIMIT_NONE" in wide, wide
    assert said["constants"]["ONWARD_LIMIT_NONE"] == str(
        int(ffi.cast("size_t", -1)))
    _, structs, _ = ffi.list_types()
    assert {f"struct {name}" for name in said["structs"]} == {
        name if name.startswith("struct ") else f"struct {name}"
        for name in structs}, "structs"
    for name, fields in said["structs"].items():
        seen = ffi.typeof(f"struct {name}").fields
        assert (seen is None) == (fields is None), name
        for (field, kind), (seen_name, seen_field) in zip(
                fields or [], seen or [], strict=True):
            assert field == seen_name, (name, field)
            if isinstance(kind, str):
                assert ffi.typeof(kind) is seen_field.type, (name, field)
            else:
                args = ", ".join(arg for _, arg in kind["args"])
                assert ffi.typeof(f"{kind['returns']} (*)({args})") \
                    is seen_field.type, (name, field)
    for name, function in said["functions"].items():
        args = ", ".join(kind for _, kind in function["args"]) or "void"
        assert ffi.typeof(f"{function['returns']} (*)({args})") is ffi.typeof(
            getattr(lib, name)), name
    return (f"JSON: {len(said['functions'])} functions,"
            f" {len(said['structs'])} structs, {len(said['constants'])}"
            " constants")


def main():
    print(check_json())
    ctx = context()
    lib.onward_ctx_ref(ctx)
    lib.onward_ctx_free(ctx)
    print(check_spf(ctx))
    print(check_verifier(ctx))
    lib.onward_ctx_free(ctx)
    print(f"{len(logged)} log events; version",
          ffi.string(lib.onward_version()).decode())


main()
