local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

test("verify: a message in one call", function()
    local verdict = onward.verify(s.signed, s.client {
        authserv_id = "mx.example.net"})

    equal(verdict.passed, true)
    equal(verdict.authres:sub(1, 15), "mx.example.net;")
    equal(verdict.spf.result, "pass")
    equal(verdict.spf.mechanism, "ip4:192.0.2.1")
    equal(verdict.spf_helo.result, "pass")
    equal(#verdict.dkim, 1)
    equal(verdict.dkim[1].result, "pass")
    equal(verdict.dkim[1].domain, "example.com")
    equal(verdict.dkim[1].key_bits, 2048)
    equal(verdict.arc.result, "none")
    equal(verdict.dmarc.policy, "reject")
    equal(verdict.dmarc.is_dkim_aligned, true)
    equal(verdict.explanation:sub(1, 6), '{"v":1')
end)

test("verify: a changed message", function()
    local verdict = onward.verify(s.signed .. "more\r\n", s.client {
        ip = "198.51.100.1"})

    equal(verdict.passed, false)
    equal(verdict.dkim[1].reason, "body-hash")
    equal(verdict.spf.explanation, "198.51.100.1 is no host of example.com")
end)

test("verify: a file with LF", function()
    local verdict = onward.verify((s.signed:gsub("\r\n", "\n")),
                                  {dns = s.zone})

    equal(verdict.dkim[1].result, "pass")
    equal(verdict.spf, nil)
end)

test("verify: octet by octet", function()
    local desk = onward.desk()
    local verifier = onward.verifier(onward.resolver(desk, s.zone),
                                     {mail_from = "alice@example.com"})

    for i = 1, #s.signed do
        verifier:feed(s.signed:sub(i, i))
    end
    raises("no verdict yet", verifier.verdict, verifier)
    verifier:finish()
    equal(verifier:result().passed, true)
    raises("ONWARD_ESTATE", verifier.feed, verifier, "late")
    desk:close()
end)

test("verify: log events", function()
    local seen = {}
    local context = onward.context {log = function(event)
        seen[#seen + 1] = event
    end}

    onward.verify(s.signed, s.client {context = context})
    assert(#seen > 0 and seen[1].code ~= "" and seen[1].module ~= "")
    context:close()
end)

-- Records and results of RFC 7208 appendix A.
for _, row in ipairs {
    {"v=spf1 +all", "198.51.100.1", "pass"},
    {"v=spf1 a -all", "192.0.2.10", "pass"},
    {"v=spf1 a -all", "192.0.2.11", "fail"},
    {"v=spf1 mx -all", "192.0.2.129", "pass"},
    {"v=spf1 mx/30 -all", "192.0.2.131", "pass"},
    {"v=spf1 ip4:192.0.2.128/28 ~all", "192.0.2.65", "softfail"},
    {"v=spf1 ip4:x", "192.0.2.65", "permerror"},
} do
    test("spf: " .. row[1] .. " of " .. row[2], function()
        equal(onward.spf({ip = row[2], mail_from = "strong@example.com",
                          dns = function(name, kind)
            return ({["example.com TXT"] = {row[1]},
                     ["example.com A"] = {"192.0.2.10"},
                     ["example.com MX"] = {"10 mail-a.example.com."},
                     ["mail-a.example.com A"] = {"192.0.2.129"},
                    })[name .. " " .. kind] or {}
        end}).result, row[3])
    end)
end

test("dmarc: alignment", function()
    local found = onward.dmarc("example.com", {dns = s.zone,
                                               dkim = {"example.com"}})

    equal(found.result, "pass")
    found = onward.dmarc("www.example.com", {dns = s.zone,
                                             spf = "example.net"})
    equal({found.result, found.reason, found.policy, found.policy_domain},
          {"fail", "not-aligned", "quarantine", "example.com"})
    equal(onward.dmarc("example.com", {dns = s.zone, reject = "service"
                                      }).disposition, "reject")
end)

local function spf(answers)
    return onward.spf {ip = "192.0.2.1", mail_from = "a@example.com",
                       dns = answers}
end

test("dns: what a function may give", function()
    equal(spf(s.from_zone).result, "pass")
    equal(spf(function()
        return {"v=spf1 " .. ("ip4:198.51.100.1 "):rep(30)
                .. "ip4:192.0.2.1 -all"}
    end).result, "pass")
    equal(spf(function() return {'"v=spf1 ip4:192.0.2.1" " -all"'} end).result,
          "pass")
    equal(spf(function() return {} end).result, "none")
    equal(spf(function() return nil end).result, "none")
    equal(spf(function() return nil, "timeout" end).result, "temperror")
    equal(spf(function() return nil, "servfail" end).result, "temperror")
    equal(spf(function() return {wire = "junk"} end).result, "temperror")
    equal(onward.verify(s.signed, {dns = function(name, kind)
        local lines = s.from_zone(name, kind)

        return lines and {secure = true, lines:match "TXT (.-)\n"}
    end}).dkim[1].is_secure, true)
end)

test("dns: answers that come later", function()
    local desk = onward.desk()
    local asked = {}
    local resolver = onward.resolver(desk, function(name, kind, token)
        asked[#asked + 1] = token
        return "later"
    end)
    local check = onward.spf_check(resolver, {ip = "192.0.2.1",
                                              mail_from = "a@example.com"})

    while desk:run() do end
    equal(#asked, 1)
    equal(check:is_done(), false)
    assert(desk:deadline() > 0)
    resolver:answer(asked[1], {"v=spf1 ip4:192.0.2.1 -all"})
    resolver:answer(asked[1], {"v=spf1 -all"}) -- stale: nothing happens
    equal(check:result().result, "pass")
end)

test("dns: faulty records", function()
    equal(raises("expected", spf, "example.com. A 192.0.2.1\nx A what?\n").line,
          2)
    for _, wrong in ipairs {{1}, {"a\nb"}, 7, {"\0"}, "example.com. TXT"} do
        raises(nil, spf, function(name, kind)
            return kind == "TXT" and {"v=spf1 mx -all"} or wrong
        end)
    end
    raises("expected one of", spf, function() return nil, "flaky" end)
    raises("No such file", spf, {file = "/no/such/file"})
end)
