--- DNS: what answers the library's questions.
--
-- Wherever a dns option stands, it may be
--
-- - records as a string, one a line as `dig +noall +answer` prints them, or
--   {file = PATH} of a file of these: nothing else is asked;
-- - a function of (name, type), which gives
--
--   - a table of records as a zone file has them ({"10 mx.example.com."}; of
--     TXT the text itself will do), an empty one for a name without that type,
--   - nil: the name does not exist,
--   - nil and a failure, "servfail", "timeout", "bogus" or "refused",
--   - lines as dig prints them, as one string,
--   - {wire = OCTETS}: a whole DNS reply,
--
--   the tables with secure = true when it was validated by DNSSEC;
-- - "later" as what the function gives: resolver:answer(token, ...) follows,
--   with the token that the function got as its third argument.

jit.off(true, true)

local core = require "onward.core"
local ffi = require "ffi"

local lib = core.lib
local dns = {}

local NAMES = {}

for _, name in ipairs {"A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA",
                       "TLSA"} do
    NAMES[tonumber(lib["ONWARD_DNS_" .. name])] = name
end

local FAILURES = {
    servfail = lib.ONWARD_DNS_SERVFAIL, timeout = lib.ONWARD_DNS_TIMEOUT,
    bogus = lib.ONWARD_DNS_BOGUS, refused = lib.ONWARD_DNS_REFUSED,
    nodata = lib.ONWARD_DNS_NODATA, nxdomain = lib.ONWARD_DNS_NXDOMAIN,
}

local Resolver = core.class "Resolver"
dns.Resolver = Resolver

--- A text as the strings of a TXT record.
local function quoted(value)
    local kept = core.kept()
    local cap = 4 * #value + 4 * (math.floor(#value / 255) + 2)
    local room = ffi.new("char[?]", cap)

    return ffi.string(room, core.check(lib.onward_dns_txt_strings,
                                       kept:text(value), room, cap))
end

local function lines(name, kind, records)
    local made = {}

    for i, record in ipairs(records) do
        core.string(record, "dns: a record")
        if kind == "TXT" and record:sub(1, 1) ~= '"' then
            record = quoted(record)
        end
        if record:find "[\r\n]" then
            error(("dns: a record with a line end: %q"):format(record), 0)
        end
        made[i] = ("%s. 60 IN %s %s\n"):format(name, kind, record)
    end
    return table.concat(made)
end

--- Answer a question. One that is stale is nobody's any more.
function Resolver:answer(token, answer, failure)
    local question = self.open[tonumber(token)] or {"", ""}
    local kept = core.kept()

    self.open[tonumber(token)] = nil
    if answer == nil then
        self.desk:call(lib.onward_dns_answer_error, token, core.choice(
            FAILURES, failure or "nxdomain", "dns: a failure"))
        return
    end

    local secure = type(answer) == "table" and answer.secure
        and lib.ONWARD_DNS_SECURE or 0

    if type(answer) == "table" and answer.wire then
        local wire = core.string(answer.wire, "dns: wire")

        -- From the network, so hostile: what is no reply is a failure.
        self.desk:call(lib.onward_dns_answer_wire, token, wire, #wire, secure)
        return
    end
    if type(answer) == "table" then
        answer = lines(question[1], question[2], answer)
    elseif type(answer) ~= "string" then
        core.wrong("dns: an answer", "a table, a string or nil", answer)
    end

    local err = self.desk:call(lib.onward_dns_answer_text, token,
                               kept:text(answer), secure)

    if err ~= 0 and err ~= lib.ONWARD_ESTALE then
        core.fail(err, ("dns: no records of %s %s: %q"):format(
            question[1], question[2], answer))
    end
end

local query = core.callback(
    "int (*)(void *, uint64_t, const char *, size_t, uint32_t)", -1,
    function(resolver, token, name, len, kind)
        name = ffi.string(name, len)
        kind = NAMES[kind] or "TYPE" .. kind
        resolver.open[tonumber(token)] = {name, kind}

        local answer, failure = resolver.source(name, kind, token)

        if answer ~= "later" then
            resolver:answer(token, answer, failure)
        end
        return 0
    end)

local cancel = core.callback("void (*)(void *, uint64_t)", nil,
                             function(resolver, token)
    resolver.open[tonumber(token)] = nil
end)

local OPTIONS = core.set "timeout cache_entries"

--- Asks dns, joins equal questions, remembers the answers. timeout is in
-- seconds.
function dns.resolver(desk, source, options)
    core.expect(desk, core.Desk, "desk")
    options = core.options(options, OPTIONS, "resolver")

    local made = setmetatable({desk = desk, open = {}}, Resolver)
    local kept = core.kept()
    local records, host

    if type(source) == "function" then
        made.source = source
        host = kept:table("onward_resolver_host", {
            user = core.enroll(made), query = query, cancel = cancel})
    elseif type(source) == "string" then
        records = source
    elseif type(source) == "table" and type(source.file) == "string" then
        local file = assert(io.open(source.file, "rb"))

        records = file:read "*a"
        file:close()
    else
        core.wrong("dns", "records, {file = PATH} or a function", source)
    end
    made:take(desk:make(
        lib.onward_resolver_new, "onward_resolver",
        kept:table("onward_resolver_opts", {
            timeout_ms = math.floor((options.timeout or 0) * 1000),
            cache_entries = options.cache_entries,
            allow_only_loaded = made.source == nil}), host),
        lib.onward_resolver_free, {desk})
    if records then
        made:load(records)
    end
    return made
end

--- Add records that are answered from here.
function Resolver:load(records)
    local kept = core.kept()
    local fault = kept:table "onward_dns_fault"
    local err = self:call(lib.onward_resolver_load, kept:text(records), fault)

    if err == lib.ONWARD_ESYNTAX then
        core.fail(err, core.text(fault.text), {line = tonumber(fault.line)})
    elseif err < 0 then
        core.fail(err)
    end
end

return dns
