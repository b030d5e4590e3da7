--- A message on its way through: rules, handlers, deliveries, the one reply.

jit.off(true, true)

local core = require "onward.core"
local dns = require "onward.dns"
local ffi = require "ffi"
local mime = require "onward.mime"
local rules = require "onward.rules"
local sign = require "onward.sign"
local verify = require "onward.verify"

local lib, call, text = core.lib, core.call, core.text
local relay = {}

local STATES = {[0] = "pending", "done", "before", "failed"}
local KINDS = {"forward", "reply", "send"}
local SUBMISSIONS = {"reply", "send", "quarantine"}

-- ---- SRS ---------------------------------------------------------------------

local Srs = core.class "Srs"

--- Rewrites senders, and finds the way back. secrets is one or a table of them:
-- the first signs, all verify.
function relay.srs(secrets, domain, context)
    context = core.default(context)
    secrets = type(secrets) == "table" and secrets or {secrets}
    core.string(domain, "domain")

    local kept = core.kept()
    local found = ffi.new("struct onward_str[?]", math.max(1, #secrets))

    for i, secret in ipairs(secrets) do
        found[i - 1] = kept:text(secret, "a secret")
    end

    local pointer = context:make(lib.onward_srs_new, "onward_srs", found,
                                 #secrets, nil)

    return setmetatable({domain = domain}, Srs):take(
        pointer, lib.onward_srs_free, {context})
end

--- The envelope's sender for the next hop.
function Srs:forward(sender)
    local kept = core.kept()
    local room = ffi.new("char[?]", lib.ONWARD_SRS_TEXT_MAX)

    return ffi.string(room, self:check(
        lib.onward_srs_forward, kept:text(sender, "a sender"),
        kept:text(self.domain), room, lib.ONWARD_SRS_TEXT_MAX))
end

--- "ok" and the sender, or another verdict.
function Srs:reverse(address)
    local kept = core.kept()
    local room = ffi.new("char[?]", lib.ONWARD_SRS_TEXT_MAX)
    local verdict = ffi.new "int[1]"
    local len = self:check(lib.onward_srs_reverse, kept:text(address), room,
                           lib.ONWARD_SRS_TEXT_MAX, verdict)

    return text(call(lib.onward_srs_verdict_name, verdict[0])),
        ffi.string(room, len)
end

-- ---- Replies -----------------------------------------------------------------

--- What a host said of a delivery: nil is 250, else a number, a string ("451
-- 4.4.1 later"), or a table of code, enhanced and text.
local function smtp_reply(kept, reply)
    if reply == nil then
        reply = {code = 250}
    elseif type(reply) == "number" then
        reply = {code = reply}
    elseif type(reply) == "string" then
        local code, rest = reply:match "^(%d%d%d) ?(.*)$"

        if code == nil then
            error(("no SMTP reply: %q"):format(reply), 0)
        end

        local enhanced, words = rest:match "^(%d%.%d+%.%d+) ?(.*)$"

        reply = {code = tonumber(code), enhanced = enhanced,
                 text = words or rest}
    elseif type(reply) ~= "table" then
        core.wrong("a reply", "nil, a number, a string or a table", reply)
    end
    return kept:table("onward_smtp_reply", {
        code = reply.code, enhanced = reply.enhanced, text = reply.text})
end

local function told(c)
    return {code = tonumber(c.code), enhanced = text(c.enhanced),
            text = text(c.text)}
end

-- ---- Events ------------------------------------------------------------------

local Action = {}

local function action_now(action)
    local kept = core.kept()
    local c = kept:table "onward_event_action"

    action.event:check(lib.onward_event_action_at, action.index, c)
    return c
end

--- kind ("forward", "reply", "send"), state ("pending", "done", "before" or
-- "failed"), to, message_id, reply.
function Action:__index(name)
    if Action[name] then
        return Action[name]
    end

    local c = action_now(self)

    if name == "kind" then
        return KINDS[tonumber(c.kind)]
    elseif name == "state" then
        return STATES[tonumber(c.state)]
    elseif name == "to" or name == "message_id" then
        return (text(c[name]))
    elseif name == "reply" and c.reply_code ~= 0 then
        return {code = tonumber(c.reply_code),
                enhanced = text(c.reply_enhanced), text = text(c.reply_text)}
    elseif name == "refusal" and c.refusal ~= 0 then
        return text(call(lib.onward_refusal_name, tonumber(c.refusal)))
    end
end

--- The sender need not hear that it failed.
function Action:forgive()
    self.event:check(lib.onward_event_forgive, rawget(self, "index"))
end

--- A message in the hands of code: one recipient, whose rule names a handler. It
-- lives as long as its transaction. What may not be done raises a refusal.
local Event = {}
Event.__index = Event

function Event:call(fn, ...)
    self.transaction:c()
    return call(fn, self.pointer, ...)
end

--- As those of handles: they hold the transaction meanwhile.
function Event:ask(fn, ...)
    local found = text(self:call(fn, ...))

    return found
end

function Event:with(read, fn)
    local found = read(self:call(fn))

    return found
end

function Event:check(fn, ...)
    local result = self:call(fn, ...)

    if result < 0 then
        core.fail(result)
    end
    return result
end

--- Do it, or say why not.
local function may(event, fn, ...)
    local kept = core.kept()
    local refusal = kept:table "onward_refusal"
    local args, count = {...}, select("#", ...)

    args[count + 1] = refusal
    if event:check(fn, unpack(args, 1, count + 1)) == 0 then
        core.refuse(tonumber(refusal.code), text(refusal.what))
    end
end

local function action_of(event, number)
    return setmetatable({event = event, index = tonumber(number)}, Action)
end

function Event:handler()
    return self:ask(lib.onward_event_handler)
end

--- The envelope's sender; empty: the null path.
function Event:from()
    return self:ask(lib.onward_event_from)
end

function Event:to()
    return self:ask(lib.onward_event_to)
end

function Event:header()
    return self:with(function(c)
        return mime.header_of(self.transaction.context, c)
    end, lib.onward_event_header)
end

--- The message as it came.
function Event:message()
    return self:with(core.read_source, lib.onward_event_source)
end

function Event:verdict()
    return self:with(verify.verdict_of, lib.onward_event_verifier)
end

function Event:can_be_forwarded()
    return self:check(lib.onward_event_can_be_forwarded) == 1
end

function Event:can_be_replied()
    return self:check(lib.onward_event_can_be_replied, nil) == 1
end

--- Refuse the message: 550 5.7.1 unless told.
function Event:set_reject(why, code, enhanced)
    local kept = core.kept()

    if self:check(lib.onward_event_set_reject, kept:table(
        "onward_smtp_reply", {code = code or 0, enhanced = enhanced,
                              text = core.string(why or "", "a text")})) == 0
    then
        core.refuse(lib.ONWARD_REFUSAL_OVER)
    end
end

--- Forward a copy to a verified destination, with X- fields on top.
function Event:forward(to, fields)
    local kept = core.kept()
    local number = ffi.new "size_t[1]"
    local list = ffi.new "struct onward_field_list *[1]"

    core.string(to, "an address")

    local ok, err = pcall(function()
        if fields then
            self.transaction.context:check(
                lib.onward_field_list_new, kept:table(
                    "onward_field_list_opts",
                    {policy = lib.ONWARD_FIELD_POLICY_X}), list)
            for name, value in pairs(fields) do
                local refusal = kept:table "onward_refusal"

                if core.check(lib.onward_field_list_add, list[0],
                              kept:text(name, "a field"),
                              kept:text(value, "a field"), refusal) == 0 then
                    core.refuse(tonumber(refusal.code), text(refusal.what))
                end
            end
        end
        may(self, lib.onward_event_forward, kept:text(to), list[0], number)
    end)

    call(lib.onward_field_list_free, list[0])
    if not ok then
        error(err, 0)
    end
    return action_of(self, number[0])
end

--- A message: octets, or a table as onward.build() takes it.
local function write(event, fn, binding, message, envelope)
    local kept = core.kept()
    local number = ffi.new "size_t[1]"
    local c = kept:table("onward_event_message", {
        from = envelope.mail_from, to = envelope.rcpt_to})
    local builder
    local ok, err = pcall(function()
        if type(message) == "table" then
            builder = mime.builder(message, event.transaction.context)
            c.builder = builder:c()
        else
            c.data = kept:text(core.crlf(message))
        end
        if binding then
            may(event, fn, nil, c, number)
        else
            may(event, fn, c, number)
        end
    end)

    if builder then
        builder:close()
    end
    if not ok then
        error(err, 0)
    end
    return action_of(event, number[0])
end

--- Answer the sender, once. Of a table, from and subject need not be given.
function Event:reply(message)
    if type(message) == "table" and message.from == nil then
        local copy = {from = self:to()}
        local subject = self:header():get "Subject" or ""

        for key, value in pairs(message) do
            copy[key] = value
        end
        copy.subject = copy.subject or subject:lower():sub(1, 3) == "re:"
            and subject or "Re: " .. subject
        message = copy
    end
    return write(self, lib.onward_event_reply, false, message, {})
end

--- Send another message. envelope may have mail_from and rcpt_to.
function Event:send(message, envelope)
    return write(self, lib.onward_event_send, true, message, envelope or {})
end

function Event:actions()
    local found = {}

    for i = 0, tonumber(self:call(lib.onward_event_action_count)) - 1 do
        found[i + 1] = action_of(self, i)
    end
    return found
end

--- For a handler that has said "later": it is through, or it has failed.
function Event:done()
    self.transaction:answer(lib.onward_event_done, self.token)
end

function Event:fail(why)
    local kept = core.kept()

    self.transaction:answer(lib.onward_event_fail, self.token,
                            kept:text(tostring(why)))
end

-- ---- The transaction ---------------------------------------------------------

local Transaction = core.class("Transaction", core.Task)

--- Answer a token; one that is stale is nobody's any more.
function Transaction:answer(fn, token, ...)
    local err = self.desk:call(fn, token, ...)

    if err < 0 and err ~= lib.ONWARD_ESTALE then
        core.fail(err)
    end
end

local deliver = core.callback(
    "int (*)(void *, uint64_t, struct onward_relay *, size_t)", -1,
    function(made, token, _, index)
        local kept = core.kept()
        local c = kept:table "onward_relay_delivery"

        made:check(lib.onward_relay_delivery_at, index, c)

        local reply = made.deliver {
            mail_from = text(c.reverse_path), recipient = text(c.recipient),
            domain = text(c.domain), message = core.read_source(c.source),
            smtputf8 = c.smtputf8 ~= 0, require_tls = c.require_tls ~= 0,
            notice_path = text(c.notice_path)}

        made:answer(lib.onward_relay_delivery_answer, token,
                    smtp_reply(kept, reply))
        return 0
    end)

local submit = core.callback(
    "int (*)(void *, uint64_t, struct onward_relay *, size_t)", -1,
    function(made, token, _, index)
        local kept = core.kept()
        local c = kept:table "onward_relay_submission"
        local rcpt_to = {}

        made:check(lib.onward_relay_submission_at, index, c)
        for i = 0, tonumber(c.rcpt_count) - 1 do
            rcpt_to[i + 1] = made:ask(lib.onward_relay_submission_rcpt, index,
                                      i)
        end
        made.submit {
            kind = SUBMISSIONS[tonumber(c.kind)],
            mail_from = text(c.reverse_path), rcpt_to = rcpt_to,
            message = core.read_source(c.source),
            message_id = text(c.message_id), place = text(c.place)}
        made:answer(lib.onward_relay_submission_answer, token, 0)
        return 0
    end)

local handle = core.callback(
    "int (*)(void *, uint64_t, struct onward_event *)", -1,
    function(made, token, c)
        local event = setmetatable({transaction = made, token = token,
                                    pointer = c}, Event)
        local handler = made.handlers[event:handler()]

        if handler == nil then
            return lib.ONWARD_ENOENT
        end

        local ok, err = pcall(handler, event)

        if not ok then
            if not made:is_closed() then
                event:fail(err)
            end
            error(err, 0)
        end
        if err ~= "later" and not made:is_closed() then
            event:done()
        end
        return 0
    end)

local done = core.callback(
    "void (*)(void *, struct onward_relay *)", nil,
    function(made)
        made.status = 0
    end)

local OPTIONS = core.set [[hostname mail_from deliver handlers submit srs
    seal_signer seal_domain seal_selector smtputf8 handler_timeout
    delivery_timeout allow_unauthenticated allow_dmarc_reject allow_malformed
    share_events allow_unverified_sends]]

--- One transaction: made at MAIL, rcpt() for each recipient, start() with the
-- message and its verifier, result().
--
-- deliver brings a delivery to its next hop and gives its reply. handlers are
-- functions of an event, by the names that rules have for them; one that gives
-- "later" calls event:done() or event:fail() when it is through. submit keeps
-- what handlers send, and what is put apart. An error in any of them comes out
-- of result(), and the sender is told to come again.
function relay.transaction(resolver, ruleset, options)
    core.expect(resolver, dns.Resolver, "resolver")
    core.expect(ruleset, rules.Ruleset, "ruleset")
    options = core.options(options, OPTIONS, "relay")
    for name, fn in pairs {deliver = options.deliver or false,
                           submit = options.submit} do
        if type(fn) ~= "function" then
            core.wrong(name, "a function", fn)
        end
    end
    for name, fn in pairs(options.handlers or {}) do
        if type(fn) ~= "function" then
            core.wrong("the handler " .. tostring(name), "a function", fn)
        end
    end

    local made = setmetatable({
        desk = resolver.desk, context = resolver.desk.context,
        deliver = options.deliver, submit = options.submit,
        handlers = options.handlers or {}, rcpts = {},
        hostname = core.string(options.hostname, "hostname")}, Transaction)
    local kept = core.kept()
    local parents = {resolver, ruleset}
    local opts = {
        resolver = resolver:c(), ruleset = ruleset:c(),
        hostname = options.hostname, authserv_id = options.hostname,
        allow_unauthenticated = options.allow_unauthenticated,
        allow_dmarc_reject = options.allow_dmarc_reject,
        allow_malformed = options.allow_malformed,
        share_events = options.share_events,
        allow_unverified_sends = options.allow_unverified_sends,
        handler_timeout_ms = math.floor((options.handler_timeout or 0) * 1000),
        delivery_timeout_ms = math.floor((options.delivery_timeout or 0)
                                         * 1000)}

    if options.seal_signer then
        opts.signer = core.expect(options.seal_signer, sign.Signer,
                                  "seal_signer"):c()
        opts.seal_domain = options.seal_domain
        opts.seal_selector = options.seal_selector
        parents[#parents + 1] = options.seal_signer
    end
    if options.srs then
        opts.srs = core.expect(options.srs, Srs, "srs"):c()
        opts.srs_domain = options.srs.domain
        parents[#parents + 1] = options.srs
    end
    return made:take(made.desk:make(
        lib.onward_relay_new, "onward_relay",
        kept:table("onward_relay_opts", opts),
        kept:table("onward_relay_envelope", {
            reverse_path = options.mail_from, smtputf8 = options.smtputf8}),
        kept:table("onward_relay_host", {
            user = core.enroll(made), deliver = deliver, done = done,
            handle = options.handlers and handle or nil,
            submit = options.submit and submit or nil})),
        lib.onward_relay_free, parents)
end

--- Answer RCPT by the rules: below 400 the recipient is taken.
function Transaction:rcpt(address)
    local kept = core.kept()
    local reply = kept:table "onward_smtp_reply"

    self:check(lib.onward_relay_rcpt, kept:text(address, "an address"), reply)

    local found = told(reply)

    self.rcpts[address] = found
    return found
end

--- The message is whole, and verified with hostname as authserv_id. received is
-- the Received field for this hop with its CRLF; one is made unless it is given.
function Transaction:start(verifier, message, received, helo)
    core.expect(verifier, verify.Verifier, "verifier")
    core.string(message, "a message")
    if received == nil then
        helo = type(helo) == "string" and helo:match "^[%w.:%[%]-]+$"
        received = ("Received: from %s\r\n by %s; %s\r\n"):format(
            helo or "unknown", self.hostname,
            os.date "!%a, %d %b %Y %H:%M:%S +0000")
    end

    local kept = core.kept()
    local source = setmetatable({}, core.class "MemorySource")

    source:take(self.context:make(
        lib.onward_memory_source_new, "onward_memory_source", message,
        #message), lib.onward_memory_source_free, {self.context})
    -- Both are read until the transaction is gone.
    self:stand_on(source)
    self:stand_on(verifier)
    self:check(lib.onward_relay_start, verifier:c(),
               source:call(lib.onward_memory_source_table),
               kept:text(received, "received"))
end

--- How it ended: reply, status, reason, rcpts.
function Transaction:outcome()
    local kept = core.kept()
    local reply = kept:table "onward_smtp_reply"
    local summary = kept:table "onward_relay_summary"

    self:check(lib.onward_relay_reply, reply)

    local found = told(reply)

    self:check(lib.onward_relay_summarize, summary)
    return {
        reply = found, rcpts = self.rcpts,
        status = text(call(lib.onward_relay_status_name,
                           tonumber(summary.status))),
        reason = text(call(lib.onward_relay_reason_name,
                           self:call(lib.onward_relay_reason)))}
end

function Transaction:result()
    self:wait()
    return self:outcome()
end

local OWN = core.set [[rules rcpt_to dns context ip helo verifier seal_key]]

--- Verify a message, route it by rules, and carry it onward. verifier has more
-- options for the verifier. When no recipient was taken, the reply is that of
-- the last.
function relay.relay(message, options)
    local data = core.crlf(message)
    local mine, rest = verify.split(options, OWN, "relay")
    local rcpt_to = mine.rcpt_to

    rcpt_to = type(rcpt_to) == "string" and {rcpt_to} or rcpt_to
    if type(rcpt_to) ~= "table" or #rcpt_to == 0 then
        core.wrong("rcpt_to", "an address or a table of them", rcpt_to)
    end
    return verify.with_desk(mine.context, function(desk)
        local ruleset = core.is(mine.rules, rules.Ruleset) and mine.rules
            or rules.ruleset(mine.rules, desk.context)
        local resolver = dns.resolver(desk, mine.dns)
        local facts = {authserv_id = rest.hostname, ip = mine.ip,
                       helo = mine.helo, mail_from = rest.mail_from}

        for key, value in pairs(mine.verifier or {}) do
            facts[key] = value
        end
        if mine.seal_key then
            rest.seal_signer = sign.signer(desk, mine.seal_key)
        end

        local verifier = verify.verifier(resolver, facts)
        local transaction = relay.transaction(resolver, ruleset, rest)
        local is_taken, last = false, nil

        for _, address in ipairs(rcpt_to) do
            last = transaction:rcpt(address)
            is_taken = is_taken or last.code < 400
        end
        verifier:feed(data)
        verifier:finish()

        local verdict = verifier:result()

        if not is_taken then
            return {reply = last, rcpts = transaction.rcpts, reason = "rcpt",
                    status = last.code >= 500 and "Rejected" or "Error",
                    verdict = verdict}
        end
        transaction:start(verifier, data, nil, mine.helo)

        local outcome = transaction:result()

        outcome.verdict = verdict
        return outcome
    end)
end

return relay
