-- ARGV: 6 most. Replies how many there were.
local swept = sweep(tonumber(ARGV[6]))
return finish({ OK, swept })
