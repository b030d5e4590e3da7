local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

--- The key's record, as a zone has it.
local function zone_of(key)
    return function(name, kind)
        return name == "sel._domainkey.example.com" and {key:dkim_record()}
            or nil
    end
end

test("key: from PEM", function()
    local key = onward.key(s.rsa)

    equal(key:type(), "rsa")
    equal(key:bits(), 2048)
    equal(onward.key(key:to_pem()):dkim_record(), key:dkim_record())
    for _, pem in ipairs {"", "hello", s.rsa:sub(1, 200), "\0"} do
        raises("ONWARD_ESYNTAX", onward.key, pem)
    end
    raises("expected one of", onward.generate_key, "dsa")
    raises("ONWARD_EINVAL", onward.generate_key, "rsa", 77)
end)

-- The record of this key in zone.txt was not written by this library.
test("sign: verifies with the record of the zone", function()
    local signed = onward.sign(s.plain, {key = s.rsa, domain = "example.com",
                                         selector = "sel", expire = 3600})
    local found = onward.verify(signed, {dns = s.zone}).dkim[1]

    equal(signed:sub(-#s.plain), s.plain)
    equal(found.result, "pass")
    equal(found.expiry, found.time + 3600)
end)

test("sign: Ed25519, and chosen fields", function()
    local key = onward.generate_key "ed25519"
    local signed = onward.sign(s.plain, {
        key = key, domain = "example.com", selector = "sel",
        fields = {"from", "subject"}, simple_body = true})
    local found = onward.verify(signed, {dns = zone_of(key)}).dkim[1]

    equal({found.result, found.algorithm, found.signed_fields},
          {"pass", "ed25519-sha256", "from:subject"})
end)

test("sign: the clock is the context's", function()
    local context = onward.context {now = function() return 1000000000.5 end}
    local signed = onward.sign(s.plain, {
        key = s.rsa, domain = "example.com", selector = "sel",
        context = context})

    assert(signed:find("t=1000000000;", 1, true))
end)

test("sign: what cannot be signed", function()
    raises("From", onward.sign, "Subject: x\r\n\r\n",
           {key = s.rsa, domain = "example.com", selector = "sel"})
    raises("ONWARD_EINVAL", onward.sign, s.plain,
           {key = s.rsa, domain = "no domain", selector = "sel"})
end)

test("sign: a key elsewhere", function()
    local der = "\48\42\48\5\6\3\43\101\112\3\33\0" .. ("\1"):rep(32)
    local desk = onward.desk()
    local asked

    for _, row in ipairs {
        {function() error "no such token" end, "no such token"},
        {function(kind, data)
            asked = {kind, #data}
            return ("x"):rep(64)
        end, "ONWARD_ECRYPTO"},
        {function() return 7 end, "a signature"},
    } do
        local made = onward.dkim_signer(onward.signer(desk, der, row[1]), {
            domain = "example.com", selector = "s"})

        made:feed(s.plain)
        raises(row[2], function()
            made:finish()
            made:result()
        end)
    end
    equal(asked, {"ed25519", 32})
    raises("sign", onward.signer, desk, der)
    raises("ONWARD_ESYNTAX", onward.signer, desk, "der?", print)
end)

test("seal: a chain of two", function()
    local how = {key = s.rsa, domain = "fwd.example.net", selector = "arc",
                 authserv_id = "mx.example.net"}
    local once = onward.seal(s.signed, s.client(how))
    local found = onward.verify(once, {dns = s.zone}).arc

    equal(once:sub(1, 9), "ARC-Seal:")
    equal({found.result, found.instances}, {"pass", 1})

    local twice = onward.seal(once, s.client(how))

    found = onward.verify(twice, {dns = s.zone}).arc
    equal({found.result, found.instances}, {"pass", 2})

    local broken = onward.seal(twice .. "more\r\n", s.client(how))

    assert(broken:find("cv=fail", 1, true))
    equal(onward.seal(broken, s.client(how)), broken)
    how.dns = function() return nil, "timeout" end
    raises("DNS gave no answer", onward.seal, once, s.client(how))
end)
