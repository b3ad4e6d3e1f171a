-- Replies how many there were.
local gone = call('HLEN', ENTRIES) - call('ZCOUNT', ENDS, '-inf', now)
call('UNLINK', ENTRIES, ORDER, ENDS)
bytes, changed = 0, true
tell('C', '', next_version())
return finish({ OK, gone })
