--- Wrong types, odd strings, late calls and callbacks that raise: an error of
--- Lua's each time, and never the end of the process.
local core = require "onward.core"
local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

test("bad: NUL and octets that are no UTF-8", function()
    for _, odd in ipairs {"a\0b", "a\255b", "a\237\178\128b"} do
        for _, call in ipairs {
            function() onward.spf {ip = odd, dns = s.zone} end,
            function() onward.key(odd) end,
            function() onward.ruleset(odd) end,
            function() onward.route(s.rules, odd) end,
            function() onward.sign(s.plain, {key = s.rsa, domain = odd,
                                             selector = "s"}) end,
            function() onward.build {from = odd .. "@example.com"} end,
            function() onward.build {from = "a@example.com",
                                     subject = odd} end,
            function() onward.build {from = "a@example.com", text = odd} end,
        } do
            equal(onward.is_error(raises(nil, call)), true)
        end
        -- Text of a client is data: it gives a verdict, not an error.
        equal(onward.verify(s.signed, s.client {
            mail_from = odd .. "@example.com"}).spf.result, "pass")
        equal(onward.dmarc(odd, {dns = s.zone}).result, "permerror")
    end
    raises("ONWARD_EINVAL", onward.verify, s.signed,
           s.client {authserv_id = "a\0b"})
end)

test("bad: wrong types", function()
    local context = onward.context()
    local desk = onward.desk(context)
    local resolver = onward.resolver(desk, s.zone)

    for i, call in ipairs {
        function() onward.verify() end,
        function() onward.verify(7, {dns = s.zone}) end,
        function() onward.verify(s.signed) end,
        function() onward.verify(s.signed, {}) end,
        function() onward.verify(s.signed, {dns = 7}) end,
        function() onward.verify(s.signed, s.client {ip = 7}) end,
        function() onward.verify(s.signed, s.client {mail_from = 7}) end,
        function() onward.verify(s.signed, s.client {mail_from = {}}) end,
        function() onward.verify(s.signed, s.client {max_signatures = "7"})
        end,
        function() onward.verify(s.signed, s.client {max_signatures = 1.5})
        end,
        function() onward.verify(s.signed, s.client {max_signatures = -1})
        end,
        function() onward.verify(s.signed, s.client {max_signatures = 2^60})
        end,
        function() onward.verify(s.signed, s.client {max_signatures = 0/0})
        end,
        function() onward.verify(s.signed, s.client {max_authors = 6}) end,
        function() onward.verify(s.signed, s.client {context = desk}) end,
        function() onward.verify(s.signed, s.client {no_such_option = 1}) end,
        function() onward.verify(s.signed, s.client {dmarc_reject = "x"}) end,
        function() onward.desk(desk) end,
        function() onward.resolver(context, s.zone) end,
        function() onward.resolver() end,
        function() onward.verifier(desk) end, function() onward.verifier() end,
        function() onward.spf_check(desk, {ip = "192.0.2.1"}) end,
        function() onward.signer(desk, 7) end,
        function() onward.signer(desk, desk) end,
        function() onward.dkim_signer(desk, {}) end,
        function() onward.arc_sealer(desk, desk, {}) end,
        function() onward.key(7) end, function() onward.key() end,
        function() onward.sign(s.plain, {key = 7, domain = "a.example",
                                         selector = "s"}) end,
        function() onward.sign(s.plain, {key = s.rsa}) end,
        function() onward.ruleset(7) end, function() onward.ruleset() end,
        function() onward.route(s.rules) end,
        function() onward.route(s.rules, "a@example.com", 7) end,
        function() onward.route(s.rules, "a@example.com", {size_ = 7}) end,
        function() onward.parse(7) end, function() onward.parse() end,
        function() onward.build(7) end,
        function() onward.build {from = 7} end,
        function() onward.build {from = "a@example.com", subject = 7} end,
        function() onward.build {from = "a@example.com",
                                 attachments = {"x"}} end,
        function() onward.build {from = "a@example.com", attachments = {{}}}
        end,
        function() onward.transaction(resolver, resolver, {}) end,
        function() onward.transaction(resolver, onward.ruleset(s.rules), {})
        end,
        function() onward.relay(s.signed, {}) end,
        function() onward.context {now = 7} end,
        function() onward.context {log = 7} end,
        function() onward.context {header_bytes = "7"} end,
        function() onward.context(7) end, function() onward.crlf(7) end,
        function() desk.run(7) end, function() desk.run() end,
    } do
        local ok, err = pcall(call)

        if ok then
            error("nothing was raised by number " .. i)
        end
        assert(err ~= nil)
    end
end)

test("bad: limits of the context", function()
    local context = onward.context {header_bytes = 100}
    local err = raises("ONWARD_ELIMIT", onward.verify, s.signed,
                       s.client {context = context})

    equal({err.name, err.code}, {"ONWARD_ELIMIT", -5})
end)

test("bad: each callback may raise", function()
    local odd = {}
    local function f()
        error(odd)
    end
    local report = core.report

    core.report = function(err)
        assert(err == odd)
    end
    for i, call in ipairs {
        function() onward.verify(s.signed, s.client {dns = f}) end,
        function() onward.spf {ip = "192.0.2.1", mail_from = "a@b.example",
                               dns = f} end,
        function() onward.dmarc("example.com", {dns = f}) end,
        function() onward.context {random = f} end,
        function()
            onward.sign(s.plain, {key = s.rsa, domain = "a.example",
                                  selector = "s",
                                  context = onward.context {now = f}})
        end,
        function()
            onward.verify(s.signed, s.client {
                context = onward.context {log = f}})
        end,
        function() onward.route(s.rules, "me@example.com", {verified = f}) end,
        function() s.handle(f) end,
        function()
            s.handle(function(event)
                event:forward "desk@example.net"
            end, {deliver = f})
        end,
        function()
            s.handle(function(event)
                event:reply {text = "x"}
            end, {submit = f})
        end,
    } do
        local ok, err = pcall(call)

        if ok or err ~= odd then
            core.report = report
            error(("number %d raised %s"):format(i, tostring(err)))
        end
    end
    core.report = report
end)

test("bad: an error that another callback catches is done with", function()
    equal(onward.spf({ip = "192.0.2.1", mail_from = "a@example.com",
                      dns = function()
        raises("boo", onward.spf, {ip = "192.0.2.1", mail_from = "x@y.example",
                                   dns = function() error "boo" end})
        return {"v=spf1 ip4:192.0.2.1 -all"}
    end}).result, "pass")
end)

test("bad: random octets that are too few", function()
    raises("random", onward.context, {random = function() return "x" end})
    raises("random", onward.context, {random = function() return 7 end})
end)

test("bad: a callback that calls back", function()
    local desk = onward.desk()
    local ruleset = onward.ruleset(s.rules)

    raises("must not call", onward.route, s.rules, "me@example.com",
           {verified = function() return ruleset:route "x@example.com" end})

    local check = onward.spf_check(onward.resolver(desk, function()
        return desk:run()
    end), {ip = "192.0.2.1", mail_from = "a@example.com"})

    raises("ONWARD_ESTATE", check.result, check)
end)

test("bad: a callback that yields", function()
    local thread = coroutine.create(function()
        onward.spf {ip = "192.0.2.1", mail_from = "a@example.com",
                    dns = coroutine.yield}
    end)
    local ok, err = coroutine.resume(thread)

    equal(ok, false)
    assert(tostring(err):find "yield", err)
    -- In a coroutine all else is as outside.
    equal(select(2, coroutine.resume(coroutine.create(function()
        return onward.verify(s.signed, s.client {dns = s.from_zone}).passed
    end))), true)
end)

test("bad: a dns function that closes everything", function()
    for _, what in ipairs {"desk", "resolver", "check", "context"} do
        local made = {}

        made.context = onward.context()
        made.desk = onward.desk(made.context)
        made.resolver = onward.resolver(made.desk, function()
            made[what]:close()
            made[what]:close()
        end)
        made.check = onward.spf_check(made.resolver, {
            ip = "192.0.2.1", mail_from = "a@example.com"})
        raises("is closed", made.check.result, made.check)
        made.context:close()
    end
end)

test("bad: a handler that closes its transaction", function()
    local desk = onward.desk()
    local resolver = onward.resolver(desk, s.zone)
    local verifier = onward.verifier(resolver, {
        authserv_id = "mx.example.com", ip = "192.0.2.1",
        mail_from = "alice@example.com"})
    local transaction

    transaction = onward.transaction(resolver, onward.ruleset(s.rules), {
        hostname = "mx.example.com", mail_from = "alice@example.com",
        deliver = print, handlers = {["ticket-desk"] = function()
            transaction:close()
        end}})
    transaction:rcpt "tickets@example.com"
    verifier:feed(s.signed)
    verifier:finish()
    verifier:result()
    transaction:start(verifier, s.signed)
    raises("is closed", transaction.result, transaction)
end)

--- luajit with another environment; its last line, and whether it ended well.
local function load(environment)
    local path = package.path:gsub("'", "")
    local pipe = io.popen(("%s LUA_PATH='%s' luajit -e '%s' 2>&1; echo $?"
                          ):format(environment, path,
                                   'print(require("onward").version())'))
    local lines = {}

    for line in pipe:lines() do
        lines[#lines + 1] = line
    end
    pipe:close()
    return table.concat(lines, "\n", 1, #lines - 1), lines[#lines]
end

test("library: the one that is there", function()
    equal({load ""}, {onward.version(), "0"})
end)

test("library: an older one is refused", function()
    local older = os.getenv "ONWARD_OLDER"

    if older then
        local said, status = load("ONWARD_LIBRARY=" .. older)

        assert(said:find("libonward 0.0.9 is there, expected 0.1.0", 1, true),
               said)
        assert(status ~= "0")
    end
    for _, wrong in ipairs {"/no/libonward.so", "libc.so.6"} do
        local said, status = load("ONWARD_LIBRARY=" .. wrong)

        assert(said:find("libonward cannot be loaded", 1, true), said)
        assert(status ~= "0")
    end
    assert(load("ONWARD_FFI_H=/no/onward.ffi.h"):find(
        "onward.ffi.h is not there", 1, true))

    local check = require("onward.library").check

    for _, version in ipairs {"0.0.9", "1.0.0", "2.3.4", "", "nonsense"} do
        raises("is there, expected", check, version)
    end
    for _, version in ipairs {"0.1.0", "0.1.7", "0.2.0", "0.10.0"} do
        check(version)
    end
end)
