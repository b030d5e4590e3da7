--- What every object stands on: calls, callbacks, lives, texts.
--
-- Lives. C objects are freed outside of all calls of the library, children
-- before parents: what is closed or collected inside a callback waits in
-- graves. A handle that was closed refuses all calls from then on.
--
-- Errors. One in a callback is kept, the library is told that the callback
-- failed, and the call of the library that was running raises it.

-- A call that may call back must not be compiled.
jit.off(true, true)

local ffi = require "ffi"
local lib = require("onward.library").lib

local core = {lib = lib}

-- ---- Errors ------------------------------------------------------------------

--- What is raised: code, name ("ONWARD_ELIMIT"), text; position, line and path
-- where they are known.
local Error = {}
Error.__index = Error

function Error:__tostring()
    return self.text .. (self.line and " in line " .. self.line or "")
        .. (self.path and self.path ~= "" and " at " .. self.path or "")
        .. (self.position and " at octet " .. self.position or "")
        .. " (" .. self.name .. ")"
end

--- What a handler may not do: code, name ("E_HEADER_NOT_ALLOWED"), text, what.
local Refusal = {}
Refusal.__index = Refusal

function Refusal:__tostring()
    return self.name .. ": " .. self.text
        .. (self.what ~= "" and " (" .. self.what .. ")" or "")
end

core.Error, core.Refusal = Error, Refusal

function core.fail(code, text, place)
    local made = setmetatable({}, Error)

    for key, value in pairs(place or {}) do
        made[key] = value
    end
    made.code = code
    made.name = ffi.string(lib.onward_error_name(code))
    made.text = text or ffi.string(lib.onward_strerror(code))
    error(made, 0)
end

function core.refuse(code, what)
    error(setmetatable({
        code = code, what = what or "",
        name = ffi.string(lib.onward_refusal_name(code)),
        text = ffi.string(lib.onward_refusal_text(code)),
    }, Refusal), 0)
end

--- A wrong argument: the fault of the caller's line.
local function wrong(what, expected, value)
    error(("%s: expected %s, got %s"):format(what, expected, type(value)), 0)
end

core.wrong = wrong

function core.string(value, what)
    if type(value) ~= "string" then
        wrong(what, "a string", value)
    end
    return value
end

-- ---- Calls and callbacks -----------------------------------------------------

local depth = 0 -- calls of the library on the stack
local leaf = 0 -- callbacks on it that must not call back
local raised -- {error} of a callback
local graves = {} -- what is to be freed, in the order it was closed

local function bury()
    local now = graves

    graves = {}
    for i = 1, #now do
        now[i]:release()
    end
end

--- Call the library; raise what a callback raised inside.
local function call(fn, ...)
    if leaf > 0 then
        core.fail(lib.ONWARD_ESTATE, "this callback must not call the library")
    end

    local outer = raised

    raised = nil
    depth = depth + 1

    local ok, result = pcall(fn, ...)
    local mine = raised

    depth = depth - 1
    raised = outer
    if depth == 0 and graves[1] then
        bury()
    end
    if mine then
        error(mine[1], 0)
    end
    if not ok then
        error(result, 0)
    end
    return result
end

core.call = call

--- Call it; a negative result is an error.
function core.check(fn, ...)
    local result = call(fn, ...)

    if result < 0 then
        core.fail(result)
    end
    return result
end

local users = setmetatable({}, {__mode = "v"})
local last_user = 0

--- The user pointer of a callback table: a number, so that one that is stale
-- finds nothing.
function core.enroll(owner)
    last_user = last_user + 1
    users[last_user] = owner
    return ffi.cast("void *", last_user)
end

core.users = users

--- What hears of errors that nobody can raise any more: the second of two.
function core.report(err)
    io.stderr:write("onward: one more error in a callback: ", tostring(err),
                    "\n")
end

--- A function that C calls. Its first argument becomes the object that was
-- enrolled; failed is what C hears when it raises, or when that is gone.
function core.callback(signature, failed, fn, is_leaf)
    local function run(user, ...)
        local owner = users[tonumber(ffi.cast("uintptr_t", user))]

        if owner == nil then
            return failed
        end
        leaf = leaf + (is_leaf and 1 or 0)

        local ok, result = pcall(fn, owner, ...)

        leaf = leaf - (is_leaf and 1 or 0)
        if ok then
            return result
        end
        if raised then
            pcall(core.report, result)
        else
            raised = {result}
        end
        return failed
    end

    jit.off(run, true)
    return ffi.cast(signature, run)
end

-- ---- Lives -------------------------------------------------------------------

--- A C object, and what must go before it.
local Owned = {}
Owned.__index = Owned

function Owned:stand_on(parent)
    self.parents[parent] = true
    parent.children[self] = true
end

function Owned:mark()
    if not self.is_closed then
        self.is_closed = true
        for child in pairs(self.children) do
            child:mark()
        end
    end
end

function Owned:release()
    if self.pointer == nil then
        return
    end
    if depth > 0 then
        graves[#graves + 1] = self
        return
    end

    local children = {}

    for child in pairs(self.children) do
        children[#children + 1] = child
    end
    for i = 1, #children do
        children[i]:release()
    end

    local pointer = self.pointer

    self.pointer = nil
    for parent in pairs(self.parents) do
        parent.children[self] = nil
    end
    self.parents, self.keep = {}, nil
    if pointer ~= nil then
        call(self.free, pointer)
    end
end

--- Something of the library's. Close it, or let it be collected.
local Handle = {}
Handle.__index = Handle
core.Handle = Handle

--- A class below Handle, or below another.
function core.class(name, above)
    local made = setmetatable({name = name}, {__index = above or Handle})

    made.__index = made
    made.__tostring = function()
        return "onward." .. name
    end
    return made
end

--- Own a C object. parents stay alive as long as it does.
function Handle:take(pointer, free, parents, keep)
    local owned = setmetatable({pointer = pointer, free = free, parents = {},
                                children = {}, keep = keep}, Owned)
    local guard = newproxy(true)

    for i = 1, #parents do
        owned:stand_on(parents[i].owned)
    end
    getmetatable(guard).__gc = function()
        owned:mark()
        pcall(owned.release, owned)
    end
    self.owned, self.guard, self.held = owned, guard, parents
    return self
end

function Handle:stand_on(parent)
    self.held[#self.held + 1] = parent
    self.owned:stand_on(parent.owned)
end

--- The C object.
function Handle:c()
    local owned = rawget(self, "owned")

    if owned == nil or owned.is_closed then
        core.fail(lib.ONWARD_ESTATE, "this " .. self.name .. " is closed",
                  {is_closed = true})
    end
    return owned.pointer
end

--- Call a function with this object as its first argument.
function Handle:call(fn, ...)
    return call(fn, self:c(), ...)
end

--- What is borrowed from an object is gone with it, and a tail call forgets who
-- made it. So whoever reads what a call has given holds the object meanwhile:
-- these two do, and nobody else says `return f(self:call(...))`.

--- Call it, and read the text that it gives.
function Handle:ask(fn, ...)
    local found = core.text(call(fn, self:c(), ...))

    return found
end

--- Let a function of Lua's read the C object.
function Handle:with(fn, ...)
    local found = fn(self:c(), ...)

    return found
end

function Handle:check(fn, ...)
    local result = call(fn, self:c(), ...)

    if result < 0 then
        core.fail(result)
    end
    return result
end

function Handle:make(fn, kind, ...)
    local args, count = {...}, select("#", ...)
    local out = ffi.new("struct " .. kind .. " *[1]")

    args[count + 1] = out
    self:check(fn, unpack(args, 1, count + 1))
    return out[0]
end

--- Free it, and what was made from it. A second time does nothing.
function Handle:close()
    local owned = rawget(self, "owned")

    if owned then
        owned:mark()
        owned:release()
    end
end

function Handle:is_closed()
    local owned = rawget(self, "owned")

    return owned == nil or owned.is_closed == true
end

--- Is it one of these?
function core.is(value, class)
    local found = getmetatable(value)

    while type(value) == "table" and found do
        if found == class then
            return true
        end
        found = (getmetatable(found) or {}).__index
    end
    return false
end

function core.expect(value, class, what)
    if not core.is(value, class) then
        wrong(what, "an onward." .. class.name, value)
    end
    return value
end

-- ---- Texts and tables --------------------------------------------------------

--- What must live until a call has returned.
local Kept = {}
Kept.__index = Kept

function core.kept()
    return setmetatable({}, Kept)
end

function Kept:hold(thing)
    self[#self + 1] = thing
    return thing
end

--- A struct onward_str that borrows a text.
function Kept:text(value, what)
    self:hold(core.string(value, what or "a text"))
    return self:hold(ffi.new("struct onward_str", {data = value, len = #value}))
end

--- A number that C gets: LuaJIT would cut it to fit.
function core.count(value, what)
    if type(value) ~= "number" then
        wrong(what, "a number", value)
    end
    if value < 0 or value >= 2^53 or value ~= math.floor(value) then
        error(("%s: expected a whole number, 0 or more, got %s"):format(
            what, tostring(value)), 0)
    end
    return value
end

--- An open struct with its size; what is nil stays 0.
function Kept:table(kind, fields)
    local made = self:hold(ffi.new("struct " .. kind))

    made.size = ffi.sizeof(made)
    for name, value in pairs(fields or {}) do
        if type(value) == "string" then
            value = self:text(value)
        elseif type(value) == "number" then
            core.count(value, name)
        elseif type(value) == "boolean" then
            value = value and 1 or 0
        elseif type(value) ~= "cdata" then
            wrong(name, "a string, a number or a boolean", value)
        end
        self:hold(value)

        local ok = pcall(function()
            made[name] = value
        end)

        if not ok then
            error(name .. ": a value of the wrong type", 0)
        end
    end
    return made
end

--- A struct onward_ip from text; nil of nil.
function Kept:ip(value)
    if value == nil then
        return nil
    end

    local made = self:hold(ffi.new "struct onward_ip")

    if call(lib.onward_ip_parse, self:text(value, "ip"), made) < 0 then
        core.fail(lib.ONWARD_ESYNTAX, ("no IP address: %q"):format(value))
    end
    return made
end

--- A struct onward_str, or a C string, as a string.
function core.text(value)
    if ffi.istype("struct onward_str", value) then
        return value.len > 0 and ffi.string(value.data, value.len) or ""
    end
    return value ~= nil and ffi.string(value) or ""
end

--- The word of one of the library's enums.
function core.word(fn, number)
    return ffi.string(call(fn, tonumber(number)))
end

--- A number of C's, as one of Lua's.
function core.number(value)
    return tonumber(value)
end

--- A message from a file: LF becomes CRLF where it holds no CR at all.
function core.crlf(message)
    core.string(message, "a message")
    return message:find("\r", 1, true) and message
        or (message:gsub("\n", "\r\n"))
end

--- All of a struct onward_source that never waits.
function core.read_source(source)
    local pieces, offset = {}, 0
    local len = tonumber(source.len)
    local room = ffi.new("char[65536]")
    local got = ffi.new("size_t[1]")

    while offset < len do
        core.check(source.read, source.user, offset, room, 65536, got)
        if got[0] == 0 then
            core.fail(lib.ONWARD_ECALLBACK, "the message ended early")
        end
        pieces[#pieces + 1] = ffi.string(room, got[0])
        offset = offset + tonumber(got[0])
    end
    return table.concat(pieces)
end

--- The number of one of a set of words.
function core.choice(words, value, what)
    local found = words[value]

    if found == nil then
        local known = {}

        for word in pairs(words) do
            known[#known + 1] = word
        end
        table.sort(known)
        error(("%s: expected one of %s, got %s"):format(
            what, table.concat(known, ", "), tostring(value)), 0)
    end
    return found
end

--- Options that nobody knows are a mistake.
function core.options(given, known, what)
    if given ~= nil and type(given) ~= "table" then
        wrong(what, "a table", given)
    end
    for key in pairs(given or {}) do
        if not known[key] then
            error(("%s: no such option: %s"):format(what, tostring(key)), 0)
        end
    end
    return given or {}
end

function core.set(names)
    local made = {}

    for name in names:gmatch "%S+" do
        made[name] = true
    end
    return made
end

-- ---- The context -------------------------------------------------------------

local now_s = core.callback("int64_t (*)(void *)", 0, function(world)
    return math.floor(world.now())
end, true)

local fill = core.callback("int (*)(void *, void *, size_t)", -1,
                           function(world, data, size)
    size = tonumber(size)
    if world.random then
        local found = world.random(size)

        if type(found) ~= "string" or #found ~= size then
            error(("random: expected %d octets"):format(size), 0)
        end
        ffi.copy(data, found, size)
        return 0
    end
    for offset = 0, size - 1, 256 do
        local len = math.min(256, size - offset)

        if ffi.C.onward_lua_entropy(ffi.cast("char *", data) + offset,
                                    len) ~= 0 then
            return -1
        end
    end
    return 0
end, true)

local LEVELS = {"error", "warn", "info", "debug"}

local log = core.callback(
    "void (*)(void *, const struct onward_log_event *)", nil,
    function(world, event)
        if world.log then
            world.log {
                level = LEVELS[tonumber(event.level)] or "debug",
                module = core.text(event.module), code = core.text(event.code),
                log_id = tonumber(event.log_id),
                detail = core.text(event.detail),
            }
        end
    end, true)

local Context = core.class "Context"
core.Context = Context

local CONTEXT = core.set "now random log header_bytes header_fields message_bytes"

--- What the library knows of the machine. now gives the seconds since 1970,
-- random so many octets, fit for keys; log gets a table for each event.
function core.context(options)
    options = core.options(options, CONTEXT, "context")

    local world = {now = options.now or os.time, random = options.random,
                   log = options.log}

    for name, fn in pairs(world) do
        if type(fn) ~= "function" then
            wrong(name, "a function", fn)
        end
    end

    local kept = core.kept()
    local user = core.enroll(world)
    local out = ffi.new "struct onward_ctx *[1]"

    core.check(lib.onward_ctx_new, kept:table("onward_ctx_opts", {
        clock = kept:table("onward_clock", {user = user, now_s = now_s}),
        random = kept:table("onward_random", {user = user, fill = fill}),
        log = options.log and kept:table("onward_log",
                                         {user = user, event = log}) or nil,
        limits = kept:table("onward_limits", {
            header_bytes = options.header_bytes,
            header_fields = options.header_fields,
            message_bytes = options.message_bytes}),
    }), out)
    return setmetatable({}, Context):take(out[0], lib.onward_ctx_free, {},
                                          world)
end

local default

--- The one that is given, or the one of the process.
function core.default(context)
    if context ~= nil then
        return core.expect(context, Context, "context")
    end
    if default == nil or default:is_closed() then
        default = core.context()
    end
    return default
end

-- ---- The desk ----------------------------------------------------------------

local Desk = core.class "Desk"
core.Desk = Desk

local clock = ffi.new "int64_t[2]"

local function now_ms()
    ffi.C.onward_lua_clock(1, clock)
    return clock[0] * 1000 + clock[1] / 1000000
end

--- Where everything slow meets. Whatever waits for something has a result(),
-- which runs the desk.
function core.desk(context)
    context = core.default(context)

    local made = setmetatable({context = context}, Desk)

    return made:take(context:make(lib.onward_desk_new, "onward_desk", nil),
                     lib.onward_desk_free, {context})
end

--- Go on with what was answered or came due: is more ready at once?
function Desk:run()
    return self:check(lib.onward_desk_run, now_ms()) == 1
end

--- Seconds until run() must be called; nil: there is no need.
function Desk:deadline()
    local due = self:call(lib.onward_desk_deadline)

    if due == 0x7fffffffffffffffLL then
        return nil
    end
    return math.max(0, tonumber(due - now_ms())) / 1000
end

function Desk:run_until(is_done)
    while not is_done() do
        if not self:run() and not is_done() then
            local left = self:deadline()

            if left == nil then
                core.fail(lib.ONWARD_ESTATE,
                          "nothing is left that could bring a result")
            end
            ffi.C.onward_lua_poll(nil, 0, math.ceil(left * 1000))
        end
    end
end

--- What comes to an end inside the desk.
local Task = core.class "Task"
core.Task = Task

--- Run the desk until its end.
function Task:wait()
    self:c()
    self.desk:run_until(function()
        return self.status ~= nil or self:is_closed()
    end)
    self:c()
    if self.status ~= 0 then
        core.fail(self.status)
    end
end

function Task:is_done()
    return self.status ~= nil
end

return core
