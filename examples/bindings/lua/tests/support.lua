--- What the tests share: a small runner, assertions, data.
local here = arg[0]:match "^(.*)/[^/]*$" or "."

package.path = here .. "/../?.lua;" .. here .. "/../?/init.lua;" .. package.path

local support = {here = here, data = here .. "/../../../../tests/data/"}
local tests = {}
local passed, failed = 0, {}

function support.read(name)
    local file = assert(io.open(support.data .. name, "rb"))
    local text = file:read "*a"

    file:close()
    return text
end

--- Add a test.
function support.test(name, fn)
    tests[#tests + 1] = {name, fn}
end

function support.run()
    for _, test in ipairs(tests) do
        local ok, err = xpcall(test[2], function(problem)
            return debug.traceback(tostring(problem), 2)
        end)

        if ok then
            passed = passed + 1
        else
            failed[#failed + 1] = test[1]
            print("FAIL " .. test[1] .. "\n" .. err)
        end
        collectgarbage()
    end
    print(("%d passed, %d failed"):format(passed, #failed))
    os.exit(#failed == 0 and passed > 0 and 0 or 1)
end

local function shown(value)
    if type(value) ~= "table" then
        return type(value) == "string" and ("%q"):format(value)
            or tostring(value)
    end

    local pieces = {}

    for _, item in ipairs(value) do
        pieces[#pieces + 1] = shown(item)
    end
    return "{" .. table.concat(pieces, ", ") .. "}"
end

--- Equal, tables by what ipairs() sees.
function support.equal(got, want)
    if shown(got) ~= shown(want) then
        error(("got %s, expected %s"):format(shown(got), shown(want)), 2)
    end
end

--- What fn raises; its text must hold pattern.
function support.raises(pattern, fn, ...)
    local result = {pcall(fn, ...)}

    if result[1] then
        error("nothing was raised", 2)
    end
    if pattern and not tostring(result[2]):find(pattern) then
        error(("raised was %s, expected %s"):format(tostring(result[2]),
                                                    pattern), 2)
    end
    return result[2]
end

local onward = require "onward"

support.zone = {file = support.data .. "cli/zone.txt"}
support.signed = onward.crlf(support.read "cli/signed.eml")
support.plain = onward.crlf(support.read "cli/message.eml")
support.rules = support.read "cli/rules.json"
support.rsa = support.read "key/rsa2048.pem"

--- Options of a call, with what is known of the client.
function support.client(more)
    local made = {ip = "192.0.2.1", helo = "mail.example.com",
                  mail_from = "alice@example.com", dns = support.zone}

    for key, value in pairs(more or {}) do
        made[key] = value
    end
    return made
end

--- Records of the zone's file by a function: lines as dig prints them.
function support.from_zone(name, kind)
    local found = {}

    for line in support.read("cli/zone.txt"):gmatch "[^\n]+" do
        if line:sub(1, #name + 2) == name .. ". " then
            found[#found + 1] = line .. "\n"
        end
    end
    return #found > 0 and table.concat(found) or nil
end

return support
