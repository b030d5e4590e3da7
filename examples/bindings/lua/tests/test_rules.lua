local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

test("route: decisions", function()
    local ruleset = onward.ruleset(s.rules)

    equal({ruleset:zone_count(), ruleset:rule_count()}, {1, 7})
    for _, row in ipairs {
        {"sales@example.com", "forward", "exact", {"desk@example.net"}, 1},
        {"me+list@EXAMPLE.com", "forward", "base", {"me@example.net"}, 2},
        {"tickets@example.com", "handler", "exact", {}, 4},
        {"who@example.com", "drop", "catch-all", {}, "catch-all"},
        {"fax@example.com", "reject", "exact", {}, 6},
    } do
        local found = ruleset:route(row[1])

        equal({found.kind, found.match, found.destinations, found.rule},
              {row[2], row[3], row[4], row[5]})
        equal(found.actions[1].kind, row[2])
    end
    equal(ruleset:route("tickets@example.com").handler, "ticket-desk")
    equal(ruleset:route("fax@example.com").reply.text, "The fax is gone")

    local found = ruleset:route "a@elsewhere.example"

    equal({found.reason, tostring(found.rule)}, {"no-zone", "nil"})
    found = ruleset:route "new@example.com"
    equal(found.steps[#found.steps].what, "not-verified")
end)

test("route: the host's word on destinations", function()
    local ruleset = onward.ruleset(s.rules)
    local facts = {verified = function(address)
        return ({["new@example.net"] = true, ["me@example.net"] = false}
               )[address]
    end}

    equal(ruleset:route("new@example.com", facts).kind, "forward")
    equal(ruleset:route("me@example.com", facts).reason, "not-verified")
    equal(ruleset:route("sales@example.com", facts).kind, "forward")
end)

for _, row in ipairs {
    {'"type":"domain","field":"from","value":"b.example"',
     {sender = "x@b.example"}, {sender = "x@c.example"}},
    {'"type":"contains","field":"header","name":"Subject","value":"hello"',
     {header = {subject = {"a", "say hello"}}}, {header = {subject = {}}}},
    {'"type":"at_least","field":"size","value":1000', {size = 1000},
     {size = 999}},
    {'"type":"at_least","field":"score","value":5.25', {score = 5.25},
     {score = 5.249}},
    {'"type":"network","field":"client","value":"192.0.2.0/24"',
     {client = "192.0.2.7"}, {client = "2001:db8::1"}},
    {'"type":"is","field":"tls","value":true', {tls = true}, {tls = false}},
    {'"type":"literal","field":"dmarc","value":"pass"',
     {verdicts = {dmarc = "pass"}}, {verdicts = {dmarc = "fail"}}},
    {'"type":"literal","field":"attachment_type","value":"a/b"',
     {attachment_types = {"text/plain", "a/b"}}, {attachment_types = {}}},
} do
    test("route: " .. row[1], function()
        local ruleset = onward.ruleset([[{"version":1,"zones":[{
            "name":"example.com","rules":[{"matchers":[{"type":"literal",
            "field":"to","value":"a@example.com"},{]] .. row[1] .. [[}],
            "actions":[{"type":"drop"}]}]}]}]])

        equal(ruleset:route("a@example.com", row[2]).kind, "drop")
        equal(ruleset:route("a@example.com", row[3]).reason, "no-address")
        equal(ruleset:route("a@example.com").kind, "need-message")
    end)
end

test("route: faults have their place", function()
    local fault = raises("expected a number", onward.ruleset, (s.rules:gsub(
        '"priority": 20', '"priority": "20"')))

    equal(onward.is_error(fault), true)
    equal({fault.name, fault.path},
          {"ONWARD_ESYNTAX", "zones[0].rules[1].priority"})
    assert(fault.line > 1)
    for _, text in ipairs {"", "[", "{}", "\0", ("["):rep(100)} do
        raises("ONWARD_", onward.ruleset, text)
    end
    for _, address in ipairs {"", "a", "a@b@c", "a\0@example.com",
                              "a@example.com\r\n"} do
        raises("ONWARD_ESYNTAX", onward.route, s.rules, address)
    end
end)
