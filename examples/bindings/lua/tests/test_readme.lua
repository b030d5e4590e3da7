--- Each listing of README.md prints what stands below it.
local s = require "support"
local test, equal = s.test, s.equal

local file = assert(io.open(s.here .. "/../README.md", "rb"))
local README = file:read "*a"

file:close()

local folder = io.popen("mktemp -d"):read "*l"

for _, name in ipairs {"cli/signed.eml", "cli/message.eml", "cli/zone.txt",
                       "cli/rules.json", "key/rsa2048.pem"} do
    local copy = assert(io.open(folder .. "/" .. name:match "[^/]+$", "wb"))

    copy:write(s.read(name))
    copy:close()
end

local count = 0

for code, rest in README:gmatch "```lua\n(.-)```\n()" do
    count = count + 1
    test("readme: listing " .. count, function()
        local shown = README:sub(rest):match "^```text\n(.-)```" or ""
        local program = assert(io.open(folder .. "/listing.lua", "wb"))
        local here = s.here:sub(1, 1) == "/" and s.here
            or os.getenv "PWD" .. "/" .. s.here

        program:write(code)
        program:close()

        local pipe = io.popen(("cd '%s' && LUA_PATH='%s/../?.lua;%s/../?/"
            .. "init.lua' luajit listing.lua 2>&1"):format(folder, here, here))
        local printed = pipe:read "*a"

        pipe:close()
        equal(printed, shown)
    end)
end

test("readme: it starts with five lines", function()
    local _, lines = README:match("```lua\n(.-)```"):gsub("\n", "")

    equal(lines, 5)
    os.execute("rm -r '" .. folder .. "'")
end)
