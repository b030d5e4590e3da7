--- libonward: email routing and authentication.
--
--     local onward = require "onward"
--
--     local verdict = onward.verify(message, {
--         ip = "192.0.2.1", mail_from = "alice@example.com", dns = answers})
--     print(verdict.authres)
--
-- One call for one message: verify, sign, seal, spf, dmarc, parse, build, route,
-- relay. The objects behind them (context, desk, resolver, verifier, ...) are for
-- those who have more than one message, or one that comes in pieces.

local core = require "onward.core"
local dns = require "onward.dns"
local mime = require "onward.mime"
local relay = require "onward.relay"
local rules = require "onward.rules"
local sign = require "onward.sign"
local verify = require "onward.verify"

local onward = {_VERSION = "0.1.0"}

--- The version of the library that is loaded.
function onward.version()
    return core.text(core.call(core.lib.onward_version))
end

--- Is it what the library raises: an error with code, name and text?
function onward.is_error(value)
    return getmetatable(value) == core.Error
end

--- Is it why a handler may not do something: name, text and what?
function onward.is_refusal(value)
    return getmetatable(value) == core.Refusal
end

onward.crlf = core.crlf
onward.context, onward.desk = core.context, core.desk
onward.resolver = dns.resolver
onward.verify, onward.verifier = verify.verify, verify.verifier
onward.spf, onward.spf_check = verify.spf, verify.spf_check
onward.dmarc, onward.dmarc_check = verify.dmarc, verify.dmarc_check
onward.key, onward.generate_key = sign.key, sign.generate_key
onward.signer, onward.sign = sign.signer, sign.sign
onward.dkim_signer = sign.dkim_signer
onward.seal, onward.arc_sealer = sign.seal, sign.arc_sealer
onward.parse, onward.build, onward.builder = mime.parse, mime.build,
    mime.builder
onward.ruleset, onward.route = rules.ruleset, rules.route
onward.relay, onward.transaction, onward.srs = relay.relay, relay.transaction,
    relay.srs

return onward
