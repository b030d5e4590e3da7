local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

local delivered, submitted

local function relay(rcpt_to, more)
    delivered, submitted = {}, {}

    local options = s.client {
        rules = s.rules, rcpt_to = rcpt_to, hostname = "mx.example.com",
        deliver = function(delivery)
            delivered[#delivered + 1] = delivery
        end,
        submit = function(submission)
            submitted[#submitted + 1] = submission
        end}
    local message = s.signed

    for key, value in pairs(more or {}) do
        options[key] = value
    end
    message, options.message = options.message or message, nil
    return onward.relay(message, options)
end

local function handle(handler, more)
    more = more or {}
    more.handlers = {["ticket-desk"] = handler}
    return relay("tickets@example.com", more)
end

s.handle = handle -- for test_bad_input

test("relay: a message is forwarded", function()
    local srs = onward.srs("secret", "fwd.example.net")
    local outcome = relay("sales@example.com", {
        srs = srs, seal_key = onward.key(s.rsa),
        seal_domain = "fwd.example.net", seal_selector = "arc"})

    equal({outcome.reply.code, outcome.status, outcome.reason},
          {250, "Forwarded", "delivered"})
    equal(outcome.rcpts["sales@example.com"].code, 250)
    equal(outcome.verdict.passed, true)
    equal(#delivered, 1)
    equal(delivered[1].recipient, "desk@example.net")
    equal({srs:reverse(delivered[1].mail_from)}, {"ok", "alice@example.com"})
    equal({srs:reverse "a@b.example"}, {"none", ""})
    equal(delivered[1].message:sub(-#s.signed), s.signed)
    equal(onward.verify(delivered[1].message, {dns = s.zone}).arc.result,
          "pass")
end)

test("relay: a Received field begins no other", function()
    relay("sales@example.com", {helo = "a\r\nX-Evil: 1"})

    local header = onward.parse(delivered[1].message):header()

    equal(header["x-evil"], nil)
    assert(header.received:find("from unknown", 1, true))
end)

test("relay: what the next hop says", function()
    for _, row in ipairs {{nil, 250}, {250, 250}, {"451 4.4.1 later", 451},
                          {{code = 550, enhanced = "5.1.1", text = "gone"},
                           550}, {"550", 550}} do
        equal(relay("sales@example.com", {deliver = function()
            return row[1]
        end}).reply.code, row[2] or 250)
    end
    equal(relay("sales@example.com", {deliver = function() end}).reply.code,
          250)
    for _, wrong in ipairs {"nonsense", true, 99, {code = "x"}} do
        raises(nil, relay, "sales@example.com", {deliver = function()
            return wrong
        end})
    end
end)

test("relay: refused recipients", function()
    local outcome = relay {"fax@example.com", "a@b.example"}

    equal({outcome.status, outcome.rcpts["fax@example.com"].code,
           outcome.rcpts["a@b.example"].code}, {"Rejected", 550, 550})
    equal(#delivered, 0)
end)

test("relay: what it reads is closed after it", function()
    for _, what in ipairs {"verifier", "resolver", "ruleset", "signer"} do
        local desk = onward.desk()
        local made = {resolver = onward.resolver(desk, s.zone),
                      ruleset = onward.ruleset(s.rules),
                      signer = onward.signer(desk, onward.key(s.rsa))}

        made.verifier = onward.verifier(made.resolver, {
            authserv_id = "mx.example.com", ip = "192.0.2.1",
            mail_from = "alice@example.com"})

        local transaction = onward.transaction(made.resolver, made.ruleset, {
            hostname = "mx.example.com", mail_from = "alice@example.com",
            deliver = print, seal_signer = made.signer,
            seal_domain = "fwd.example.net", seal_selector = "arc"})

        transaction:rcpt "sales@example.com"
        made.verifier:feed(s.signed)
        made.verifier:finish()
        made.verifier:result()
        transaction:start(made.verifier, s.signed)
        made[what]:close()
        raises("is closed", transaction.result, transaction)
        while desk:run() do end
        desk:close()
    end
end)

test("event: what a handler sees", function()
    local seen
    local outcome = handle(function(event)
        seen = {event:from(), event:to(), event:handler(), event:message(),
                event:header().Subject, event:verdict().passed,
                event:can_be_forwarded(), event:can_be_replied(),
                #event:actions()}
    end)

    equal({outcome.reply.code, outcome.reason}, {250, "handled"})
    equal(seen, {"alice@example.com", "tickets@example.com", "ticket-desk",
                 s.signed, "Lunch", true, true, true, 0})
end)

test("event: forward, reply and send", function()
    local outcome = handle(function(event)
        local action = event:forward("desk@example.net", {["X-Ticket"] = "7"})

        equal({action.state, action.kind, action.to},
              {"pending", "forward", "desk@example.net"})
        event:reply {text = "We have it.\n"}
        event:send {from = "tickets@example.com", to = "desk@example.net",
                    text = "x"}
        event:send(onward.build {from = "tickets@example.com",
                                 to = "me@example.net", text = "y"})
        equal(#event:actions(), 4)
    end)

    equal(outcome.reply.code, 250)
    equal(delivered[1].message:sub(1, 11), "X-Ticket: 7")
    equal({submitted[1].kind, submitted[1].mail_from, submitted[1].rcpt_to},
          {"reply", "tickets@example.com", {"alice@example.com"}})
    equal({submitted[2].kind, submitted[2].rcpt_to, submitted[3].rcpt_to},
          {"send", {"desk@example.net"}, {"me@example.net"}})

    local header = onward.parse(submitted[1].message):header()

    equal({header.subject, header["in-reply-to"], header["auto-submitted"]},
          {"Re: Lunch", "<1@mail.example.com>", "auto-replied"})
end)

test("event: reject", function()
    local reply = handle(function(event)
        event:set_reject "Not you"
    end).reply

    equal({reply.code, reply.enhanced, reply.text},
          {550, "5.7.1", "Not you"})
    equal(handle(function(event)
        event:set_reject("Later", 451, "4.7.0")
    end).reply.code, 451)
    raises("ONWARD_EINVAL", handle, function(event)
        event:set_reject("x", 250)
    end)
end)

test("event: refusals have reasons", function()
    local names = {}

    handle(function(event)
        local function refused(name, ...)
            local refusal = raises("E_", event[name], event, ...)

            equal(onward.is_refusal(refusal), true)
            names[#names + 1] = refusal.name
        end

        refused("forward", "no address")
        refused("forward", "eve@example.org")
        refused("forward", "desk@example.net", {Received = "x"})
        refused("forward", "desk@example.net", {["X-A"] = "x\r\ny"})
        refused("send", {from = "a@elsewhere.example",
                         to = "desk@example.net", text = "x"})
        event:reply {text = "once"}
        refused("reply", {text = "twice"})
    end)
    equal(names, {"E_DESTINATION_INVALID", "E_DESTINATION_NOT_VERIFIED",
                  "E_HEADER_NOT_ALLOWED", "E_HEADER_VALUE_INVALID",
                  "E_SENDER_DOMAIN_NOT_AVAILABLE", "E_REPLY_TWICE"})
end)

test("event: a handler that is through later", function()
    local desk = onward.desk()
    local resolver = onward.resolver(desk, s.zone)
    local verifier = onward.verifier(resolver, {
        authserv_id = "mx.example.com", ip = "192.0.2.1",
        mail_from = "alice@example.com"})
    local open
    local transaction = onward.transaction(
        resolver, onward.ruleset(s.rules), {
            hostname = "mx.example.com", mail_from = "alice@example.com",
            deliver = function() return "550 5.1.1 gone" end,
            handlers = {["ticket-desk"] = function(event)
                open = event
                return "later"
            end}})

    equal(transaction:rcpt("tickets@example.com").code, 250)
    raises("ONWARD_ESTATE", transaction.start, transaction, verifier, s.signed)
    verifier:feed(s.signed)
    verifier:finish()
    verifier:result()
    transaction:start(verifier, s.signed)
    while desk:run() do end
    equal(transaction:is_done(), false)

    local action = open:forward "desk@example.net"

    while desk:run() do end
    equal({action.state, action.reply.code, action.refusal},
          {"failed", 550, "E_PERMANENT"})
    action:forgive()
    open:done()
    open:done() -- stale: nothing happens
    equal(transaction:result().reply.code, 250)
    desk:close()
    raises("is closed", open.from, open)
end)
