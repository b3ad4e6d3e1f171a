-- ARGV: 6 most. Replies how many there were, and what is left: entries, bytes, version.
local swept = sweep(tonumber(ARGV[6]))
return finish({ OK, swept, call('HLEN', ENTRIES), bytes, version })
