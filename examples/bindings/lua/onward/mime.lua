--- Messages: taken apart, and made.

jit.off(true, true)

local core = require "onward.core"
local ffi = require "ffi"

local lib, call, text = core.lib, core.call, core.text
local mime = {}

local KINDS = {"leaf", "multipart", "message", "unread"}
local SEVERITIES = {"odd", "malformed"}

-- ---- Headers -----------------------------------------------------------------

local Header = {}

--- header[name], in any case: the value of the topmost field of that name.
-- header.fields has all of them, each with name, value and raw.
function Header.__index(header, name)
    return Header[name] or type(name) == "string" and header:get(name) or nil
end

function Header:all(name)
    local found = {}

    for _, field in ipairs(rawget(self, "fields")) do
        if field.name:lower() == name:lower() then
            found[#found + 1] = field.value
        end
    end
    return found
end

function Header:get(name)
    return self:all(name)[1]
end

local function decoded(context, value)
    local out = ffi.new "struct onward_text *[1]"

    if context:call(lib.onward_words_decode, value,
                    lib.ONWARD_WORDS_UNSTRUCTURED, nil, out) < 0 then
        return text(value) -- over the limit of a text
    end

    local found = text(call(lib.onward_text_str, out[0]))

    call(lib.onward_text_free, out[0])
    return (found:gsub("^[ \t]+", ""):gsub("[ \t]+$", ""))
end

--- A struct onward_header, all of it.
function mime.header_of(context, c)
    local fields = {}

    for i = 0, tonumber(call(lib.onward_header_count, c)) - 1 do
        fields[#fields + 1] = {
            name = text(call(lib.onward_header_name, c, i)),
            value = decoded(context, call(lib.onward_header_value, c, i)),
            raw = text(call(lib.onward_header_raw, c, i)),
        }
    end
    return setmetatable({
        fields = fields,
        is_malformed = call(lib.onward_header_is_malformed, c) ~= 0,
    }, Header)
end

-- ---- Messages ----------------------------------------------------------------

local Part = {}
Part.__index = Part

function Part:header()
    local out = ffi.new "struct onward_header *[1]"

    self.message:check(lib.onward_mime_tree_header, self.index, out)

    local found = mime.header_of(self.message.context, out[0])

    return found -- not at once: see Handle:ask()
end

--- As it was sent, with its header.
function Part:raw()
    return self.message:ask(lib.onward_mime_tree_raw, self.index, 1)
end

--- Its octets, base64 and quoted-printable decoded.
function Part:body()
    local out = ffi.new "struct onward_str"

    self.message:check(lib.onward_mime_tree_body, self.index, out)

    local found = text(out)

    return found
end

--- Its text in UTF-8; nil: it has none, or a charset that nobody knows.
function Part:text()
    local out = ffi.new "struct onward_text *[1]"
    local err = self.message:call(lib.onward_mime_tree_text, self.index, out)

    if err == lib.ONWARD_ENOENT then
        return nil
    elseif err < 0 then
        core.fail(err)
    end

    local found = text(call(lib.onward_text_str, out[0]))

    call(lib.onward_text_free, out[0])
    return found
end

local Message = core.class "Message"

local function part_of(message, i)
    local kept = core.kept()
    local c = kept:table "onward_mime_part"

    message:check(lib.onward_mime_tree_part, i, c)
    return setmetatable({
        message = message, index = i, kind = KINDS[c.kind],
        type = text(c.type) .. "/" .. text(c.subtype),
        charset = text(c.charset), disposition = text(c.disposition),
        file_name = text(c.name), content_id = text(c.content_id),
        encoding = text(call(lib.onward_encoding_name, c.encoding)),
        depth = tonumber(c.depth), offset = tonumber(c.offset),
        parent = i > 0 and tonumber(c.parent) + 1 or nil,
        is_attachment = c.kind ~= lib.ONWARD_MIME_MULTIPART
            and (text(c.disposition) == "attachment" or text(c.name) ~= ""),
    }, Part)
end

--- Take a message apart. parts has all of its parts in their order, the first is
-- the message; a part's parent is a number in there.
function mime.parse(message, context)
    local data = core.crlf(message)

    context = core.default(context)

    local kept = core.kept()
    local made = setmetatable({context = context, parts = {}}, Message)

    made:take(context:make(lib.onward_mime_tree_new, "onward_mime_tree",
                           kept:text(data), kept:table(
        "onward_mime_opts", {flags = lib.ONWARD_MIME_DECODE})),
        lib.onward_mime_tree_free, {context}, kept)
    for i = 0, tonumber(made:call(lib.onward_mime_tree_count)) - 1 do
        made.parts[i + 1] = part_of(made, i)
    end
    return made
end

function Message:header()
    return self.parts[1]:header()
end

local function first(message, kind)
    for _, part in ipairs(message.parts) do
        if part.type == kind and part.kind == "leaf"
            and not part.is_attachment then
            return part:text()
        end
    end
end

--- The first plain text that is not attached; nil: there is none.
function Message:text()
    return first(self, "text/plain")
end

function Message:html()
    return first(self, "text/html")
end

function Message:attachments()
    local found = {}

    for _, part in ipairs(self.parts) do
        if part.is_attachment then
            found[#found + 1] = part
        end
    end
    return found
end

--- What is not as the RFCs have it: code, severity ("malformed": other readers
-- may see another message; or "odd"), part and offset.
function Message:anomalies()
    local kept = core.kept()
    local c = kept:table "onward_mime_anomaly"
    local found = {}

    for i = 0, tonumber(self:call(lib.onward_mime_tree_anomaly_count)) - 1 do
        self:check(lib.onward_mime_tree_anomaly_at, i, c)
        found[i + 1] = {
            code = text(call(lib.onward_mime_anomaly_name, c.code)),
            severity = SEVERITIES[c.severity] or "",
            part = tonumber(c.part) + 1, offset = tonumber(c.offset),
        }
    end
    return found
end

-- ---- The builder -------------------------------------------------------------

local ROLES = {from = lib.ONWARD_BUILDER_FROM,
               sender = lib.ONWARD_BUILDER_SENDER,
               reply_to = lib.ONWARD_BUILDER_REPLY_TO,
               to = lib.ONWARD_BUILDER_TO, cc = lib.ONWARD_BUILDER_CC,
               bcc = lib.ONWARD_BUILDER_BCC}
local PLACES = {attached = lib.ONWARD_BUILDER_ATTACHED,
                inline = lib.ONWARD_BUILDER_INLINE,
                alternative = lib.ONWARD_BUILDER_ALTERNATIVE}

local Builder = core.class "Builder"
mime.Builder = Builder

local BUILDER = core.set [[from sender reply_to to cc bcc subject text html
    attachments fields message_id date id_domain allow_8bit allow_utf8]]
local ATTACHMENT = core.set [[data file_name type content_id description place]]

--- A message that is being written. An address is "local@domain", or {name =
-- NAME, address = "local@domain"}; of several a table of these.
function mime.builder(message, context)
    message = core.options(message, BUILDER, "build")
    context = core.default(context)

    local kept = core.kept()
    local made = setmetatable({context = context}, Builder)

    made:take(context:make(
        lib.onward_builder_new, "onward_builder",
        kept:table("onward_builder_opts", {
            id_domain = message.id_domain, date_s = message.date,
            allow_8bit = message.allow_8bit,
            allow_utf8 = message.allow_utf8})), lib.onward_builder_free,
        {context})
    for _, role in ipairs {"from", "sender", "reply_to", "to", "cc", "bcc"} do
        local given = message[role]

        if type(given) == "string"
            or type(given) == "table" and given.address then
            given = {given}
        elseif given ~= nil and type(given) ~= "table" then
            core.wrong(role, "an address", given)
        end
        for _, mailbox in ipairs(given or {}) do
            made:add_address(role, mailbox)
        end
    end
    for name, fn in pairs {subject = lib.onward_builder_set_subject,
                           text = lib.onward_builder_set_text,
                           html = lib.onward_builder_set_html,
                           message_id = lib.onward_builder_set_message_id} do
        if message[name] ~= nil then
            local err = made:call(fn, kept:text(message[name], name))

            if err < 0 then
                core.fail(err, err == lib.ONWARD_ESYNTAX
                          and name .. " cannot be written" or nil)
            end
        end
    end
    for name, value in pairs(message.fields or {}) do
        made:add_field(name, value)
    end
    for _, attachment in ipairs(message.attachments or {}) do
        made:attach(attachment)
    end
    return made
end

--- role is "from", "sender", "reply_to", "to", "cc" or "bcc".
function Builder:add_address(role, mailbox)
    local name, address = "", mailbox

    if type(mailbox) == "table" then
        name, address = mailbox.name or "", mailbox.address
    end

    local kept = core.kept()
    local err = self:call(lib.onward_builder_add_address,
                          core.choice(ROLES, role, "role"),
                          kept:text(name, role), kept:text(address, role))

    if err == lib.ONWARD_ESYNTAX then
        core.fail(err, ("%s: no such address or name: %q"):format(role,
                                                                  address))
    elseif err < 0 then
        core.fail(err)
    end
end

function Builder:add_field(name, value)
    local kept = core.kept()
    local err = self:call(lib.onward_builder_add_field,
                          kept:text(name, "a field"),
                          kept:text(value, "a field"))

    if err == lib.ONWARD_ESYNTAX then
        core.fail(err, ("the field %q cannot be %q"):format(name, value))
    elseif err == lib.ONWARD_EINVAL then
        core.fail(err, ("the builder writes %q itself"):format(name))
    elseif err < 0 then
        core.fail(err)
    end
end

--- {data, file_name, type, content_id, description, place}; place is
-- "attached", "inline" or "alternative".
function Builder:attach(attachment)
    core.options(attachment, ATTACHMENT, "attachment")

    local kept = core.kept()

    self:check(lib.onward_builder_add_part, kept:table("onward_builder_part", {
        place = core.choice(PLACES, attachment.place or "attached", "place"),
        type = attachment.type, file_name = attachment.file_name,
        content_id = attachment.content_id,
        description = attachment.description,
        data = core.string(attachment.data, "data")}))
end

--- The message; it takes no more changes.
function Builder:to_string()
    local out = ffi.new "const struct onward_source *[1]"

    self:check(lib.onward_builder_source, out)

    local found = core.read_source(out[0])

    return found
end

function Builder:mail_from()
    return self:ask(lib.onward_builder_mail_from)
end

function Builder:rcpt_to()
    local found = {}

    for i = 0, tonumber(self:call(lib.onward_builder_rcpt_count)) - 1 do
        found[i + 1] = self:ask(lib.onward_builder_rcpt_at, i)
    end
    return found
end

--- Write a message.
function mime.build(message, context)
    local builder = mime.builder(message, context)
    local ok, result = pcall(builder.to_string, builder)

    builder:close()
    if not ok then
        error(result, 0)
    end
    return result
end

return mime
