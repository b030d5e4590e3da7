--- The library and its declarations, found and loaded.
--
-- ONWARD_LIBRARY and ONWARD_FFI_H name the two files; without them the system's
-- loader finds the library, and the declarations are where it was installed.

local ffi = require "ffi"

local LEAST = {0, 1, 0} -- what this binding needs

local function declarations(library)
    local given = os.getenv "ONWARD_FFI_H"
    local tried = {}

    if given then
        tried[1] = given
    else
        local folder = library:match "^(.*)/[^/]*$"

        while folder do
            tried[#tried + 1] = folder .. "/include/onward.ffi.h"
            tried[#tried + 1] = folder .. "/share/onward/onward.ffi.h"
            folder = folder:match "^(.*)/[^/]*$"
        end
        tried[#tried + 1] = "/usr/local/share/onward/onward.ffi.h"
        tried[#tried + 1] = "/usr/share/onward/onward.ffi.h"
    end
    for _, path in ipairs(tried) do
        local file = io.open(path, "rb")

        if file then
            local text = file:read "*a"

            file:close()
            return text
        end
    end
    error("onward.ffi.h is not there; tried " .. table.concat(tried, ", "), 0)
end

--- Refuse what is older, or of another line.
local function check(version)
    local major, minor, patch = version:match "^(%d+)%.(%d+)%.(%d+)"
    local found = {tonumber(major) or 0, tonumber(minor) or 0,
                   tonumber(patch) or 0}
    local is_older = false

    for i = 1, 3 do
        if found[i] ~= LEAST[i] then
            is_older = found[i] < LEAST[i]
            break
        end
    end
    if is_older or found[1] ~= LEAST[1] then
        error(("libonward %s is there, expected %s or a later %d.x"):format(
            version, table.concat(LEAST, "."), LEAST[1]), 0)
    end
end

local function load()
    local name = os.getenv "ONWARD_LIBRARY" or "libonward.so.0"
    local ok, lib = pcall(ffi.load, name)
    local asked

    if not ok then
        error("libonward cannot be loaded: " .. tostring(lib), 0)
    end
    -- The version is asked before anything else is believed.
    ffi.cdef "const char *onward_version(void);"
    ok, asked = pcall(function()
        return ffi.string(lib.onward_version())
    end)
    if not ok then
        error("libonward cannot be loaded: " .. tostring(asked), 0)
    end
    check(asked)
    if not pcall(ffi.sizeof, "struct onward_str") then
        ffi.cdef(declarations(name))
        ffi.cdef [[
            int onward_lua_clock(int, int64_t *) __asm__("clock_gettime");
            int onward_lua_entropy(void *, size_t) __asm__("getentropy");
            int onward_lua_poll(void *, unsigned long, int) __asm__("poll");
        ]]
    end
    return lib
end

return {lib = load(), check = check}
