local onward = require "onward"
local s = require "support"
local test, equal, raises = s.test, s.equal, s.raises

local NESTED = ([[
From: =?utf-8?q?=C3=85lice?= <alice@example.com>
Subject: =?iso-8859-1?q?caf=E9?=
 =?utf-8?b?IOKCrA==?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=a

--a
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--a
Content-Type: application/octet-stream; name*=utf-8''%C3%A4.bin
Content-Transfer-Encoding: base64
Content-Disposition: attachment

AAEC
--a
Content-Type: message/rfc822

Subject: inner

hello
--a--
]]):gsub("\n", "\r\n")

test("parse: a tree", function()
    local message = onward.parse(NESTED)
    local seen = {}

    for i, part in ipairs(message.parts) do
        seen[i] = {part.kind, part.type, part.depth}
    end
    equal(seen, {{"multipart", "multipart/mixed", 0},
                 {"leaf", "text/plain", 1},
                 {"leaf", "application/octet-stream", 1},
                 {"message", "message/rfc822", 1}, {"leaf", "text/plain", 2}})
    equal(message:header().subject, "café €")
    equal(message:header():get "FROM", "Ålice <alice@example.com>")
    equal(message:text(), "café")
    equal(message:html(), nil)

    local attached = message:attachments()[1]

    equal({attached.file_name, attached:body(), attached.encoding},
          {"ä.bin", "\0\1\2", "base64"})
    equal(message.parts[5].parent, 4)
    equal(message.parts[5]:header().subject, "inner")
    equal(message.parts[1]:raw(), NESTED)
    equal(message:anomalies(), {})
    equal(onward.parse((NESTED:gsub("\r\n", "\n"))):header().subject,
          "café €")
end)

test("parse: what is wrong is told", function()
    local message = onward.parse "From: a\rb\r\nno field\r\n\r\nbody"
    local seen = {}

    for _, anomaly in ipairs(message:anomalies()) do
        seen[#seen + 1] = anomaly.code .. " " .. anomaly.severity
    end
    table.sort(seen)
    equal(seen, {"bare-cr malformed", "no-colon malformed"})
    equal(message:header().is_malformed, true)
end)

test("parse: odd messages", function()
    for _, octets in ipairs {"", "\r\n", "x", ("\0"):rep(100),
                             "Content-Type: multipart/mixed; boundary=x"
                             .. "\r\n\r\n--x"} do
        local message = onward.parse(octets)

        equal(message.parts[1]:raw(), octets)
        for _, part in ipairs(message.parts) do
            part:header()
            part:body()
        end
    end
end)

test("build: and parse", function()
    local made = onward.build {
        from = {name = "Ålice", address = "alice@example.com"},
        to = {"bob@example.net",
              {name = "Carol, C.", address = "carol@example.org"}},
        bcc = "eve@example.org", subject = "Grüße €", text = "hällo\n",
        html = "<p>hällo</p>", fields = {["X-Tag"] = "7"},
        attachments = {{data = "\0\1", file_name = "ä b.bin",
                        type = "image/png"}},
        date = 1000000000, message_id = "1@example.com"}
    local message = onward.parse(made)
    local header = message:header()

    equal(header.subject, "Grüße €")
    equal(header.to, 'bob@example.net, "Carol, C." <carol@example.org>')
    equal(header.bcc, nil)
    equal(header["message-id"], "<1@example.com>")
    equal(header.date, "Sun, 9 Sep 2001 01:46:40 +0000")
    equal(header["x-tag"], "7")
    equal(message:text(), "hällo\r\n")
    equal(message:attachments()[1].file_name, "ä b.bin")
    equal(message:attachments()[1]:body(), "\0\1")
end)

test("build: the envelope", function()
    local builder = onward.builder {from = "alice@example.com",
                                    to = "bob@example.net",
                                    bcc = "eve@example.org", text = "x"}

    equal(builder:mail_from(), "alice@example.com")
    equal(builder:rcpt_to(), {"bob@example.net", "eve@example.org"})
    equal(builder:to_string(), builder:to_string())
    raises("ONWARD_ESTATE", builder.add_address, builder, "to",
           "late@example.net")
end)

test("build: no value begins a line", function()
    local evil = "x\r\nBcc: eve@example.org"

    for _, wrong in ipairs {
        {subject = evil}, {from = evil}, {to = {name = "A", address = evil}},
        {to = {name = evil, address = "bob@example.net"}},
        {fields = {["X-A"] = evil}}, {fields = {[evil] = "x"}},
        {message_id = evil}, {attachments = {{data = "", file_name = evil}}},
        {attachments = {{data = "", type = evil}}},
    } do
        wrong.from = wrong.from or "alice@example.com"
        raises("ONWARD_ESYNTAX", onward.build, wrong)
    end
    raises("Subject", onward.build, {from = "a@example.com",
                                     fields = {Subject = "x"}})
    raises("ONWARD_EINVAL", onward.build, {text = "nobody"})
end)
