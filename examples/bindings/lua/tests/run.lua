--- luajit run.lua: all tests of the binding.
local support = dofile((arg[0]:match "^(.*)/[^/]*$" or ".") .. "/support.lua")

package.loaded.support = support
package.path = support.here .. "/?.lua;" .. package.path
for _, name in ipairs {"verify", "sign", "mime", "rules", "relay", "bad_input",
                       "lives", "readme"} do
    require("test_" .. name)
end
support.run()
