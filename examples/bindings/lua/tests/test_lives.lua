--- Closing and collecting, in whatever order.
local core = require "onward.core"
local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

--- One of each, standing on each other.
local function everything()
    local context = onward.context()
    local desk = onward.desk(context)
    local resolver = onward.resolver(desk, function() end)
    local key = onward.key(s.rsa, context)
    local signer = onward.signer(desk, key)
    local ruleset = onward.ruleset(s.rules, context)

    return {
        context = context, desk = desk, resolver = resolver, key = key,
        signer = signer, ruleset = ruleset,
        verifier = onward.verifier(resolver, {ip = "192.0.2.1"}),
        spf = onward.spf_check(resolver, {ip = "192.0.2.1"}),
        dmarc = onward.dmarc_check(resolver, "example.com"),
        dkim = onward.dkim_signer(signer, {domain = "a.example",
                                           selector = "s"}),
        srs = onward.srs("secret", "a.example", context),
        message = onward.parse(s.plain, context),
        builder = onward.builder({}, context),
        transaction = onward.transaction(resolver, ruleset, {
            hostname = "a.example", deliver = print}),
    }
end

--- A call of each that must be refused once it is closed.
local USES = {
    context = function(o) onward.desk(o) end,
    desk = function(o) o:run() end,
    resolver = function(o) o:load "" end,
    key = function(o) o:type() end,
    signer = function(o)
        onward.dkim_signer(o, {domain = "a.example", selector = "s"})
    end,
    ruleset = function(o) o:route "a@example.com" end,
    verifier = function(o) o:feed "x" end,
    spf = function(o) o:result() end,
    dmarc = function(o) o:result() end,
    dkim = function(o) o:finish() end,
    srs = function(o) o:forward "a@example.com" end,
    message = function(o) o.parts[1]:body() end,
    builder = function(o) o:to_string() end,
    transaction = function(o) o:rcpt "a@example.com" end,
}

test("lives: use after close", function()
    for name, use in pairs(USES) do
        local thing = everything()[name]

        thing:close()
        thing:close()
        equal(thing:is_closed(), true)

        local err = raises("is closed", use, thing)

        equal({err.name, err.is_closed}, {"ONWARD_ESTATE", true})
    end
end)

test("lives: any two in any order", function()
    for first in pairs(USES) do
        for second in pairs(USES) do
            local things = everything()

            things[first]:close()
            things[second]:close()
            things.context:close()
            for _, thing in pairs(things) do
                equal(thing:is_closed(), true)
            end
        end
    end
end)

test("lives: parents live as long as their children", function()
    local verifier = onward.verifier(onward.resolver(onward.desk(
        onward.context()), s.zone), {ip = "192.0.2.1",
                                     mail_from = "alice@example.com"})

    collectgarbage()
    collectgarbage()
    verifier:feed(s.signed)
    verifier:finish()
    collectgarbage()
    equal(verifier:result().passed, true)
end)

test("lives: collected inside a callback, and in cycles", function()
    equal(onward.spf({ip = "192.0.2.1", mail_from = "a@example.com",
                      dns = function()
        local things = everything()

        things.loop = onward.resolver(things.desk, function()
            return things
        end)
        things.open = onward.spf_check(things.loop, {
            ip = "192.0.2.1", mail_from = "a@example.com"})
        things = nil
        collectgarbage()
        collectgarbage()
        return {"v=spf1 ip4:192.0.2.1 -all"}
    end}).result, "pass")
end)

test("lives: with the collector at work all the time", function()
    local pause = collectgarbage("setpause", 0)
    local step = collectgarbage("setstepmul", 1000000)

    collectgarbage() -- from here on it begins anew as soon as it has ended

    local ok, err = pcall(function()
        for _ = 1, 3 do
            equal(onward.verify(s.signed, s.client()).passed, true)
            equal(onward.spf_check(onward.resolver(onward.desk(), s.zone), {
                ip = "192.0.2.1", mail_from = "a@example.com"}):result().result,
                "pass")
            equal(onward.parse(s.signed):header().subject, "Lunch")
            equal(onward.builder({from = "a@example.com", text = "x"}
                                ):to_string():sub(1, 5), "Date:")
            equal(onward.sign(s.plain, {
                key = s.rsa, domain = "example.com", selector = "sel"}
                             ):sub(1, 5), "DKIM-")
            equal(onward.key(s.rsa):bits(), 2048)
            equal(onward.route(s.rules, "sales@example.com").kind, "forward")
            equal(s.handle(function(event)
                event:forward(("desk@example.net"):lower())
                equal(event:header().subject, "Lunch")
                equal(event:verdict().passed, true)
            end).reply.code, 250)
        end
    end)

    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert(ok, err)
end)

test("lives: nothing is left", function()
    local function count()
        local found = 0

        for _ = 1, 3 do
            collectgarbage()
        end
        for _ in pairs(core.users) do
            found = found + 1
        end
        return found
    end
    local before = count()

    for _ = 1, 10 do
        everything()
        onward.verify(s.signed, s.client())
    end
    equal(count(), before)
end)

test("lives: thousands of calls, compiled or not", function()
    -- A call that calls back must never be compiled: see jit.off() in the files.
    for _ = 1, tonumber(os.getenv "ONWARD_CALLS" or 3000) do
        equal(onward.spf({ip = "192.0.2.1", mail_from = "a@example.com",
                          dns = function()
            return {"v=spf1 ip4:192.0.2.1 -all"}
        end}).result, "pass")
    end
end)
