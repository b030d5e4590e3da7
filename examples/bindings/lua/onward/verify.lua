--- Whether a message is what it claims to be: SPF, DKIM, ARC, DMARC. All words
-- are those of the RFCs.

jit.off(true, true)

local core = require "onward.core"
local dns = require "onward.dns"
local ffi = require "ffi"

local lib, call, text, word = core.lib, core.call, core.text, core.word
local verify = {}

local REJECT = {rfc9989 = lib.ONWARD_DMARC_REJECT_RFC9989,
                service = lib.ONWARD_DMARC_REJECT_SERVICE,
                never = lib.ONWARD_DMARC_REJECT_NEVER}
local DISCOVERY = {rfc9989 = lib.ONWARD_DMARC_DISCOVERY_RFC9989,
                   rfc7489 = lib.ONWARD_DMARC_DISCOVERY_RFC7489}
local IDENTITY = {mailfrom = lib.ONWARD_SPF_MAIL_FROM,
                  helo = lib.ONWARD_SPF_HELO}

-- ---- What was found ----------------------------------------------------------

local function spf_of(c)
    if c == nil then
        return nil
    end

    local reason = call(lib.onward_spf_check_reason, c)

    return {
        result = word(lib.onward_spf_result_name,
                      call(lib.onward_spf_check_result, c)),
        reason = word(lib.onward_spf_reason_name, reason),
        text = word(lib.onward_spf_reason_text, reason),
        domain = text(call(lib.onward_spf_check_domain, c)),
        mechanism = text(call(lib.onward_spf_check_mechanism, c)),
        explanation = text(call(lib.onward_spf_check_explanation, c)),
        lookups = tonumber(call(lib.onward_spf_check_lookups, c)),
        void_lookups = tonumber(call(lib.onward_spf_check_void_lookups, c)),
    }
end

local function dkim_of(found)
    return {
        result = word(lib.onward_dkim_result_name, found.result),
        reason = word(lib.onward_dkim_reason_name, found.reason),
        detail = text(found.detail), domain = text(found.domain),
        selector = text(found.selector), identity = text(found.identity),
        algorithm = text(found.algorithm_text),
        key_bits = tonumber(found.key_bits), header_b = text(found.header_b),
        signed_fields = text(found.signed_fields),
        exposed_fields = text(found.exposed_fields),
        is_test = found.is_test ~= 0, is_secure = found.is_secure ~= 0,
        time = found.has_time ~= 0 and tonumber(found.time_s) or nil,
        expiry = found.has_expiry ~= 0 and tonumber(found.expiry_s) or nil,
    }
end

local function dmarc_of(result, reason, disposition, author, c)
    local function told(fn)
        return c ~= nil and text(call(fn, c)) or ""
    end
    local function asked(fn)
        return c ~= nil and call(fn, c) or 0
    end

    return {
        result = word(lib.onward_dmarc_result_name, result),
        reason = word(lib.onward_dmarc_reason_name, reason),
        text = word(lib.onward_dmarc_reason_text, reason),
        disposition = word(lib.onward_dmarc_policy_name, disposition),
        policy = word(lib.onward_dmarc_policy_name,
                      asked(lib.onward_dmarc_check_policy)),
        author_domain = author,
        policy_domain = told(lib.onward_dmarc_check_policy_domain),
        org_domain = told(lib.onward_dmarc_check_org_domain),
        record = told(lib.onward_dmarc_check_record),
        is_spf_aligned = asked(lib.onward_dmarc_check_is_spf_aligned) ~= 0,
        is_dkim_aligned = asked(lib.onward_dmarc_check_is_dkim_aligned) ~= 0,
    }
end

--- What a verifier that is done has found.
function verify.verdict_of(c)
    local kept = core.kept()
    local arc = kept:table "onward_arc_verdict"
    local json = ffi.new "struct onward_str"
    local signatures = {}

    for i = 0, tonumber(call(lib.onward_verifier_dkim_count, c)) - 1 do
        local found = kept:table "onward_dkim_signature"

        if call(lib.onward_verifier_dkim, c, i, found) == 0 then
            signatures[#signatures + 1] = dkim_of(found)
        end
    end
    call(lib.onward_verifier_arc, c, arc)
    call(lib.onward_verifier_explain,
         ffi.cast("struct onward_verifier *", c), json)

    local made = {
        authres = text(call(lib.onward_verifier_authres, c)),
        spf = spf_of(call(lib.onward_verifier_spf, c,
                          lib.ONWARD_SPF_MAIL_FROM)),
        spf_helo = spf_of(call(lib.onward_verifier_spf, c,
                               lib.ONWARD_SPF_HELO)),
        dkim = signatures,
        arc = {
            result = word(lib.onward_arc_result_name, arc.result),
            reason = word(lib.onward_arc_reason_name, arc.reason),
            detail = text(arc.detail), instances = tonumber(arc.instances),
            instance = tonumber(arc.instance),
            is_temporary = arc.is_temporary ~= 0,
        },
        dmarc = dmarc_of(call(lib.onward_verifier_dmarc_result, c),
                         call(lib.onward_verifier_dmarc_reason, c),
                         call(lib.onward_verifier_dmarc_disposition, c),
                         text(call(lib.onward_verifier_author_domain, c)),
                         call(lib.onward_verifier_dmarc, c)),
        is_authenticated = call(lib.onward_verifier_is_authenticated, c) ~= 0,
        explanation = text(json), -- JSON
    }

    made.passed = made.dmarc.result == "pass"
    return made
end

-- ---- The verifier ------------------------------------------------------------

local function settle(task)
    task.status = 0
end

local verified = core.callback(
    "void (*)(void *, struct onward_verifier *)", nil, settle)

local Verifier = core.class("Verifier", core.Task)
verify.Verifier = Verifier

local FACTS = core.set [[authserv_id ip helo mail_from receiver trusted_sealers
    max_signatures max_authors timeout dmarc_reject dmarc_discovery]]
verify.FACTS = FACTS

--- One pass over one message: feed() it, finish(), and take the result().
function verify.verifier(resolver, facts)
    core.expect(resolver, dns.Resolver, "resolver")
    facts = core.options(facts, FACTS, "verifier")

    local made = setmetatable({desk = resolver.desk}, Verifier)
    local kept = core.kept()

    made:take(resolver:make(
        lib.onward_verifier_new, "onward_verifier",
        kept:table("onward_verifier_opts", {
            authserv_id = facts.authserv_id or "localhost",
            client_ip = kept:ip(facts.ip), helo = facts.helo,
            mail_from = facts.mail_from, receiver = facts.receiver,
            max_signatures = facts.max_signatures,
            max_authors = facts.max_authors,
            timeout_ms = math.floor((facts.timeout or 0) * 1000),
            dmarc_reject_policy = core.choice(
                REJECT, facts.dmarc_reject or "rfc9989", "dmarc_reject"),
            dmarc_discovery = core.choice(
                DISCOVERY, facts.dmarc_discovery or "rfc9989",
                "dmarc_discovery")}),
        kept:table("onward_verifier_host", {user = core.enroll(made),
                                            done = verified})),
        lib.onward_verifier_free, {resolver})
    for _, domain in ipairs(facts.trusted_sealers or {}) do
        made:check(lib.onward_verifier_trust_sealer, kept:text(domain))
    end
    return made
end

--- Take the next octets, cut anywhere. Lines end in CRLF: see onward.crlf().
function Verifier:feed(data)
    core.string(data, "data")
    self:check(lib.onward_verifier_feed, data, #data)
end

function Verifier:finish()
    self:check(lib.onward_verifier_finish)
end

--- What was found, once it is done.
function Verifier:verdict()
    if self.status == nil then
        self:c()
        core.fail(lib.ONWARD_ESTATE, "there is no verdict yet")
    end
    return self:with(verify.verdict_of)
end

function Verifier:result()
    self:wait()
    return self:verdict()
end

--- Split the options of a one-call function into those of the call and facts.
function verify.split(options, own, what)
    local mine, rest = {}, {}

    if type(options) ~= "table" then
        core.wrong(what, "a table of options", options)
    end
    for key, value in pairs(options) do
        (own[key] and mine or rest)[key] = value
    end
    return mine, rest
end

--- Run a function with a desk that is closed afterwards.
function verify.with_desk(context, fn)
    local desk = core.desk(context)
    local ok, result = pcall(fn, desk)

    desk:close()
    if not ok then
        error(result, 0)
    end
    return result
end

local OWN = core.set "dns context"

--- Verify a whole message. One that has LF and no CR is read as with CRLF.
function verify.verify(message, options)
    local data = core.crlf(message)
    local mine, facts = verify.split(options, OWN, "verify")

    return verify.with_desk(mine.context, function(desk)
        local verifier = verify.verifier(dns.resolver(desk, mine.dns), facts)

        verifier:feed(data)
        verifier:finish()
        return verifier:result()
    end)
end

-- ---- SPF and DMARC alone -----------------------------------------------------

local spf_done = core.callback(
    "void (*)(void *, struct onward_spf_check *)", nil, settle)
local SpfCheck = core.class("SpfCheck", core.Task)
local SPF = core.set "ip mail_from helo receiver identity timeout"

--- One SPF evaluation; identity is "mailfrom" or "helo".
function verify.spf_check(resolver, facts)
    core.expect(resolver, dns.Resolver, "resolver")
    facts = core.options(facts, SPF, "spf")

    local made = setmetatable({desk = resolver.desk}, SpfCheck)
    local kept = core.kept()

    made:take(resolver:make(
        lib.onward_spf_check_new, "onward_spf_check",
        kept:table("onward_spf_opts", {
            client_ip = kept:ip(core.string(facts.ip, "ip")),
            mail_from = facts.mail_from, helo = facts.helo,
            receiver = facts.receiver,
            timeout_ms = math.floor((facts.timeout or 0) * 1000),
            identity = core.choice(IDENTITY, facts.identity or "mailfrom",
                                   "identity")}),
        kept:table("onward_spf_host", {user = core.enroll(made),
                                       done = spf_done})),
        lib.onward_spf_check_free, {resolver})
    return made
end

function SpfCheck:result()
    self:wait()
    return self:with(spf_of)
end

--- May this address send mail for that domain (RFC 7208)?
function verify.spf(options)
    local mine, facts = verify.split(options, OWN, "spf")

    return verify.with_desk(mine.context, function(desk)
        return verify.spf_check(dns.resolver(desk, mine.dns), facts):result()
    end)
end

local dmarc_done = core.callback(
    "void (*)(void *, struct onward_dmarc_check *)", nil, settle)
local DmarcCheck = core.class("DmarcCheck", core.Task)
local DMARC = core.set "spf dkim reject discovery"

--- The policy for an author's domain, against the domains that passed: spf is
-- that of MAIL FROM, dkim a table of those of d=.
function verify.dmarc_check(resolver, author_domain, facts)
    core.expect(resolver, dns.Resolver, "resolver")
    core.string(author_domain, "author_domain")
    facts = core.options(facts, DMARC, "dmarc")

    local made = setmetatable({desk = resolver.desk}, DmarcCheck)
    local kept = core.kept()

    made:take(resolver:make(
        lib.onward_dmarc_check_new, "onward_dmarc_check",
        kept:table("onward_dmarc_opts", {
            author_domain = author_domain,
            reject_policy = core.choice(REJECT, facts.reject or "rfc9989",
                                        "reject"),
            discovery = core.choice(DISCOVERY, facts.discovery or "rfc9989",
                                    "discovery")}),
        kept:table("onward_dmarc_host", {user = core.enroll(made),
                                         done = dmarc_done})),
        lib.onward_dmarc_check_free, {resolver})
    if facts.spf ~= nil then
        made:check(lib.onward_dmarc_check_add_spf, kept:text(facts.spf))
    end
    for _, domain in ipairs(facts.dkim or {}) do
        made:check(lib.onward_dmarc_check_add_dkim, kept:text(domain))
    end
    made:check(lib.onward_dmarc_check_finish, 0)
    return made
end

function DmarcCheck:result()
    self:wait()

    return self:with(function(c)
        return dmarc_of(call(lib.onward_dmarc_check_result, c),
                        call(lib.onward_dmarc_check_reason, c),
                        call(lib.onward_dmarc_check_disposition, c),
                        text(call(lib.onward_dmarc_check_author_domain, c)),
                        c)
    end)
end

--- What DMARC says of mail from a domain (RFC 9989).
function verify.dmarc(author_domain, options)
    local mine, facts = verify.split(options, OWN, "dmarc")

    return verify.with_desk(mine.context, function(desk)
        return verify.dmarc_check(dns.resolver(desk, mine.dns), author_domain,
                                  facts):result()
    end)
end

return verify
