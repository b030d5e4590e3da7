--- Rules: what happens to mail for an address.

jit.off(true, true)

local core = require "onward.core"
local ffi = require "ffi"

local lib, call, text = core.lib, core.call, core.text
local rules = {}

local MATCHES = {"exact", "base", "catch-all", "pattern"}
local NO_RULE = ffi.cast("size_t", -1LL)

--- The rule's place, the first is 1; "catch-all"; nil: none.
local function place(number)
    if number == NO_RULE then
        return nil
    end
    return number == NO_RULE - 1 and "catch-all" or tonumber(number) + 1
end

local function reply_of(c)
    return c.reply_code ~= 0 and {
        code = c.reply_code, enhanced = text(c.reply_enhanced),
        text = text(c.reply_text)} or nil
end

local function texts(values, count)
    local found = {}

    for i = 0, tonumber(count) - 1 do
        found[i + 1] = text(values[i])
    end
    return found
end

-- ---- Facts: what is known of a message now -----------------------------------

local destination = core.callback(
    "int (*)(void *, const char *, size_t)", lib.ONWARD_ECALLBACK,
    function(asked, address, len)
        local verified = asked.facts.verified
        local found

        if verified then
            found = verified(ffi.string(address, len))
        end
        return found == nil and 0 or found and 1 or 2
    end, true)

local function texts_of(facts, fact, name)
    if fact == lib.ONWARD_RULESET_FACT_SENDER then
        return facts.sender and {facts.sender}
    elseif fact == lib.ONWARD_RULESET_FACT_HEADER then
        local found = {}

        for key, values in pairs(facts.header or {}) do
            if key:lower() == name:lower() then
                for _, value in ipairs(values) do
                    found[#found + 1] = value
                end
            end
        end
        return facts.header and found
    elseif fact == lib.ONWARD_RULESET_FACT_ATTACHMENT_NAME then
        return facts.attachment_names
    elseif fact == lib.ONWARD_RULESET_FACT_ATTACHMENT_TYPE then
        return facts.attachment_types
    elseif fact == lib.ONWARD_RULESET_FACT_VERDICT then
        local found = (facts.verdicts or {})[name]

        return found and {found}
    end
    return {}
end

local fact_text = core.callback(
    "int (*)(void *, size_t, const char *, size_t, size_t,"
    .. " struct onward_str *)", lib.ONWARD_ECALLBACK,
    function(asked, fact, name, name_len, index, out)
        local found = texts_of(asked.facts, tonumber(fact),
                               name_len > 0 and ffi.string(name, name_len)
                               or "")

        if not found then
            return lib.ONWARD_AGAIN
        end

        local value = found[tonumber(index) + 1]

        if value == nil then
            return 0
        end
        asked.kept:text(value, "a fact")
        out.data, out.len = value, #value
        return 1
    end, true)

local fact_number = core.callback(
    "int (*)(void *, size_t, int64_t *)", lib.ONWARD_ECALLBACK,
    function(asked, fact, out)
        local facts, value = asked.facts, nil

        fact = tonumber(fact)
        if fact == lib.ONWARD_RULESET_FACT_SIZE then
            value = facts.size
        elseif fact == lib.ONWARD_RULESET_FACT_SCORE then
            value = facts.score and math.floor(facts.score * 1000 + 0.5)
        elseif fact == lib.ONWARD_RULESET_FACT_TLS and facts.tls ~= nil then
            value = facts.tls and 1 or 0
        end
        if value == nil then
            return lib.ONWARD_AGAIN
        end
        out[0] = value
        return 1
    end, true)

local fact_client = core.callback(
    "int (*)(void *, struct onward_ip *)", lib.ONWARD_ECALLBACK,
    function(asked, out)
        if asked.facts.client == nil then
            return lib.ONWARD_AGAIN
        end
        out[0] = asked.kept:ip(asked.facts.client)
        return 1
    end)

local step = core.callback(
    "void (*)(void *, const struct onward_ruleset_step *)", nil,
    function(asked, c)
        asked.steps[#asked.steps + 1] = {
            zone = text(c.zone), rule = place(c.rule),
            rule_name = text(c.rule_name), what = text(c.what),
            detail = text(c.detail)}
    end, true)

-- ---- Rulesets ----------------------------------------------------------------

local Ruleset = core.class "Ruleset"
rules.Ruleset = Ruleset

--- Rules, loaded from JSON text.
function rules.ruleset(json, context)
    core.string(json, "rules")
    context = core.default(context)

    local kept = core.kept()
    local fault = kept:table "onward_ruleset_fault"
    local out = ffi.new "struct onward_ruleset *[1]"
    local err = context:call(lib.onward_ruleset_new, kept:text(json), nil,
                             fault, out)

    if err == lib.ONWARD_ESYNTAX or err == lib.ONWARD_ELIMIT then
        core.fail(err, text(fault.text), {
            line = fault.line > 0 and tonumber(fault.line) or nil,
            path = text(fault.path)})
    elseif err < 0 then
        core.fail(err)
    end
    return setmetatable({context = context}, Ruleset):take(
        out[0], lib.onward_ruleset_free, {context})
end

function Ruleset:zone_count()
    return tonumber(self:call(lib.onward_ruleset_zone_count))
end

function Ruleset:rule_count()
    return tonumber(self:call(lib.onward_ruleset_rule_count))
end

local function decision(c, asked)
    local actions = {}
    local action = c.actions

    while action ~= nil do
        actions[#actions + 1] = {
            kind = text(call(lib.onward_ruleset_kind_name, action.kind)),
            destinations = texts(action.destinations,
                                 action.destination_count),
            name = text(action.name), value = text(action.value),
            reply = reply_of(action)}
        action = action.next
    end
    return {
        kind = text(call(lib.onward_ruleset_kind_name, c.kind)),
        reason = text(call(lib.onward_ruleset_reason_name, c.reason)),
        match = MATCHES[c.match] or "", zone = text(c.zone),
        rule = place(c.rule), rule_name = text(c.rule_name),
        destinations = texts(c.destinations, c.destination_count),
        handler = text(c.handler), reply = reply_of(c), actions = actions,
        steps = asked.steps,
    }
end

local FACTS = core.set [[verified sender header attachment_names
    attachment_types verdicts size score client tls]]

--- Decide about an address. facts is what is known of the message now; what is
-- nil is not known yet.
function Ruleset:route(address, facts)
    local kept = core.kept()
    local asked = {facts = core.options(facts, FACTS, "facts"), steps = {},
                   kept = core.kept()}
    local user = core.enroll(asked)
    local mailbox = ffi.new "struct onward_mailbox *[1]"
    local router = ffi.new "struct onward_ruleset_router *[1]"

    core.string(address, "an address")

    local ok, result = pcall(function()
        local err = self.context:call(
            lib.onward_mailbox_parse, kept:text(address),
            lib.ONWARD_MAILBOX_ALLOW_UTF8, mailbox)

        if err < 0 then
            core.fail(err, err == lib.ONWARD_ESYNTAX
                      and ("no mail address: %q"):format(address) or nil)
        end
        self.context:check(lib.onward_ruleset_router_new, router)

        local c = kept:table "onward_ruleset_decision"

        self:check(lib.onward_ruleset_route, router[0], mailbox[0],
                   kept:table("onward_ruleset_facts", {
                       user = user, destination = destination,
                       text = fact_text, number = fact_number,
                       client = fact_client}),
                   kept:table("onward_ruleset_trace", {user = user,
                                                       step = step}), c)
        return decision(c, asked)
    end)

    call(lib.onward_ruleset_router_free, router[0])
    call(lib.onward_mailbox_free, mailbox[0])
    if not ok then
        error(result, 0)
    end
    return result
end

--- What these rules (a ruleset, or JSON text) do with mail for an address.
function rules.route(given, address, facts)
    if not core.is(given, Ruleset) then
        given = rules.ruleset(given)
    end
    return given:route(address, facts)
end

return rules
