--- Keys, DKIM signatures and ARC seals.

jit.off(true, true)

local core = require "onward.core"
local dns = require "onward.dns"
local ffi = require "ffi"
local verify = require "onward.verify"

local lib, call, text = core.lib, core.call, core.text
local sign = {}

local TYPES = {rsa = lib.ONWARD_KEY_RSA, ed25519 = lib.ONWARD_KEY_ED25519}
local LISTING = {guarded = lib.ONWARD_DKIM_LISTING_GUARDED,
                 service = lib.ONWARD_DKIM_LISTING_SERVICE}

-- ---- Keys --------------------------------------------------------------------

local Key = core.class "Key"
sign.Key = Key

local function own(pointer, context)
    return setmetatable({}, Key):take(pointer, lib.onward_key_free, {context})
end

--- A private key from PEM text.
function sign.key(pem, context)
    core.string(pem, "a key")
    context = core.default(context)

    local kept = core.kept()
    local fault = kept:table "onward_key_fault"
    local out = ffi.new "struct onward_key *[1]"
    local err = context:call(lib.onward_key_from_pem, kept:text(pem), fault,
                             out)

    if err == lib.ONWARD_ESYNTAX or err == lib.ONWARD_ELIMIT then
        core.fail(err, text(fault.text), {position = tonumber(fault.offset)})
    elseif err < 0 then
        core.fail(err)
    end
    return own(out[0], context)
end

--- Make a new one: "rsa" (of 2048 bits unless told) or "ed25519".
function sign.generate_key(kind, bits, context)
    context = core.default(context)
    return own(context:make(lib.onward_key_generate, "onward_key",
                            core.choice(TYPES, kind or "rsa", "type"),
                            core.count(bits or 0, "bits")), context)
end

--- Call a function with the public half.
local function public(key, fn, ...)
    local found = call(fn, key:call(lib.onward_key_public), ...)

    return found
end

function Key:type()
    return public(self, lib.onward_pubkey_type) == lib.ONWARD_KEY_RSA
        and "rsa" or "ed25519"
end

function Key:bits()
    return tonumber(public(self, lib.onward_pubkey_bits))
end

--- PKCS#8. It is a secret.
function Key:to_pem()
    local room = ffi.new "char[4096]"

    return ffi.string(room, self:check(lib.onward_key_to_pem, room, 4096))
end

--- The text of the TXT record that publishes it, at
-- SELECTOR._domainkey.DOMAIN.
function Key:dkim_record()
    local room = ffi.new "char[1000]"

    local len = public(self, lib.onward_dkim_record, nil, room, 1000)

    if len < 0 then
        core.fail(len)
    end
    return ffi.string(room, len)
end

-- ---- Signers -----------------------------------------------------------------

local Signer = core.class "Signer"
sign.Signer = Signer

local asked = core.callback(
    "int (*)(void *, const struct onward_sign_question *)", -1,
    function(signer, question)
        local token = question.token
        local kind = question.type == lib.ONWARD_KEY_RSA and "rsa" or "ed25519"
        local signature = signer.sign(
            kind, ffi.string(question.input, question.input_len))

        core.string(signature, "a signature")
        signer.desk:call(lib.onward_sign_answer, token, signature, #signature)
        return 0
    end)

--- One key at one desk. key is one; or the octets of a public key
-- (SubjectPublicKeyInfo in DER), and sign a function that has the private one
-- elsewhere: it gets the type and what the primitive signs, and gives the
-- signature, which is checked.
function sign.signer(desk, key, sign_elsewhere)
    core.expect(desk, core.Desk, "desk")

    local made = setmetatable({desk = desk, sign = sign_elsewhere}, Signer)

    if core.is(key, Key) then
        return made:take(desk:make(lib.onward_signer_new, "onward_signer",
                                   key:c(), nil), lib.onward_signer_free,
                         {desk})
    end
    core.string(key, "key")
    if type(sign_elsewhere) ~= "function" then
        core.wrong("sign", "a function", sign_elsewhere)
    end

    local kept = core.kept()
    local fault = kept:table "onward_key_fault"
    local out = ffi.new "struct onward_pubkey *[1]"
    local err = desk.context:call(lib.onward_pubkey_from_der, key, #key, fault,
                                  out)

    if err < 0 then
        core.fail(err, text(fault.text), {position = tonumber(fault.offset)})
    end

    local ok, pointer = pcall(desk.make, desk, lib.onward_signer_new_host,
                              "onward_signer", out[0], kept:table(
        "onward_signer_host", {user = core.enroll(made), sign = asked}), nil)

    call(lib.onward_pubkey_free, out[0])
    if not ok then
        error(pointer, 0)
    end
    return made:take(pointer, lib.onward_signer_free, {desk})
end

-- ---- DKIM --------------------------------------------------------------------

local function settle(task, _, status)
    task.status = tonumber(status)
end

local function names(fields)
    return type(fields) == "table" and table.concat(fields, ":") or fields
end

local dkim_done = core.callback(
    "void (*)(void *, struct onward_dkim_signer *, int)", nil, settle)
local DkimSigner = core.class("DkimSigner", core.Task)
local DKIM = core.set [[domain selector identity fields listing simple_header
    simple_body time expire]]

--- A DKIM-Signature for one message: feed(), finish(), result().
function sign.dkim_signer(signer, options)
    core.expect(signer, Signer, "signer")
    options = core.options(options, DKIM, "sign")

    local made = setmetatable({desk = signer.desk}, DkimSigner)
    local kept = core.kept()

    return made:take(signer:make(
        lib.onward_dkim_signer_new, "onward_dkim_signer",
        kept:table("onward_dkim_signer_opts", {
            domain = core.string(options.domain, "domain"),
            selector = core.string(options.selector, "selector"),
            identity = options.identity, fields = names(options.fields),
            listing = core.choice(LISTING, options.listing or "guarded",
                                  "listing"),
            use_simple_header = options.simple_header,
            use_simple_body = options.simple_body, time_s = options.time,
            expire_s = options.expire}),
        kept:table("onward_dkim_signer_host", {user = core.enroll(made),
                                               done = dkim_done})),
        lib.onward_dkim_signer_free, {signer})
end

function DkimSigner:feed(data)
    core.string(data, "data")
    self:check(lib.onward_dkim_signer_feed, data, #data)
end

function DkimSigner:finish()
    local err = self:call(lib.onward_dkim_signer_finish)

    if err == lib.ONWARD_ESYNTAX then
        core.fail(err, self:ask(lib.onward_dkim_signer_fault))
    elseif err < 0 then
        core.fail(err)
    end
end

--- The field to put on top, with its CRLF.
function DkimSigner:result()
    self:wait()
    return self:ask(lib.onward_dkim_signer_field)
end

local OWN = core.set "key context"

local function key_of(desk, key)
    return core.is(key, Key) and key or sign.key(key, desk.context)
end

--- The message with a DKIM-Signature on top. key is one, or its PEM text. A
-- message that has LF and no CR becomes one with CRLF.
function sign.sign(message, options)
    local data = core.crlf(message)
    local mine, rest = verify.split(options, OWN, "sign")

    return verify.with_desk(mine.context, function(desk)
        local signer = sign.signer(desk, key_of(desk, mine.key))
        local made = sign.dkim_signer(signer, rest)

        made:feed(data)
        made:finish()
        return made:result() .. data
    end)
end

-- ---- ARC ---------------------------------------------------------------------

local arc_done = core.callback(
    "void (*)(void *, struct onward_arc_sealer *, int)", nil, settle)
local ArcSealer = core.class("ArcSealer", core.Task)
local ARC = core.set "domain selector fields listing time expire body_changed"

--- An ARC set for a message that was verified, by its verifier: feed() the
-- message as it leaves, finish(), result().
function sign.arc_sealer(signer, verifier, options)
    core.expect(signer, Signer, "signer")
    core.expect(verifier, verify.Verifier, "verifier")
    options = core.options(options, ARC, "seal")

    local made = setmetatable({desk = signer.desk}, ArcSealer)
    local kept = core.kept()
    local opts = kept:table("onward_arc_sealer_opts", {
        domain = core.string(options.domain, "domain"),
        selector = core.string(options.selector, "selector"),
        fields = names(options.fields),
        listing = core.choice(LISTING, options.listing or "guarded",
                              "listing"),
        time_s = options.time, expire_s = options.expire})
    local err = verifier:call(lib.onward_verifier_sealing, opts)

    if err == lib.ONWARD_AGAIN then
        core.fail(err, "the chain fails only because DNS gave no answer: a "
                  .. "seal would break it for good")
    elseif err < 0 then
        core.fail(err)
    end
    if options.body_changed then
        opts.body_hash = kept:text ""
    end
    return made:take(signer:make(
        lib.onward_arc_sealer_new, "onward_arc_sealer", opts,
        kept:table("onward_arc_sealer_host", {user = core.enroll(made),
                                              done = arc_done})),
        lib.onward_arc_sealer_free, {signer})
end

function ArcSealer:feed(data)
    core.string(data, "data")
    self:check(lib.onward_arc_sealer_feed, data, #data)
end

--- false: the chain had failed before, and gets no more sets.
function ArcSealer:finish()
    local err = self:call(lib.onward_arc_sealer_finish)

    if err < 0 and err ~= lib.ONWARD_ENOENT then
        core.fail(err)
    end
    return err == 0
end

--- The set to put on top, with its CRLFs.
function ArcSealer:result()
    self:wait()
    return self:ask(lib.onward_arc_sealer_fields)
end

local SEAL_OWN = core.set "key context dns"
local SEAL = core.set "domain selector fields listing time expire"

--- Verify the message, and give it with an ARC set on top (RFC 8617). The rest
-- of the options are those of verify(). A chain that had failed before gets no
-- set: the message is given back as it is.
function sign.seal(message, options)
    local data = core.crlf(message)
    local mine, rest = verify.split(options, SEAL_OWN, "seal")
    local how, facts = verify.split(rest, SEAL, "seal")

    core.string(facts.authserv_id, "authserv_id")
    return verify.with_desk(mine.context, function(desk)
        local verifier = verify.verifier(dns.resolver(desk, mine.dns), facts)
        local signer = sign.signer(desk, key_of(desk, mine.key))

        verifier:feed(data)
        verifier:finish()
        verifier:wait()

        local sealer = sign.arc_sealer(signer, verifier, how)

        sealer:feed(data)
        return sealer:finish() and sealer:result() .. data or data
    end)
end

return sign
