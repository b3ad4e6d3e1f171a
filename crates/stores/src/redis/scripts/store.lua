-- For scripts that store something; after drop.lua.
-- nil if there is room for so much more, after sweeping if need be; else the reply.
local function refusal(more_entries, more_bytes)
  while true do
    local full
    if more_entries > 0 and call('HLEN', ENTRIES) + more_entries > tonumber(ARGV[1]) then
      full = ENTRIES_FULL
    elseif more_bytes > 0 and bytes + more_bytes > tonumber(ARGV[2]) then
      full = BYTES_FULL
    end
    if not full then return nil end
    if sweep(100) == 0 then return { full } end
  end
end

local function end_of(ttl)
  ttl = tonumber(ttl) or tonumber(ARGV[3])
  if ttl == 0 then return 0 end
  return math.min(now + ttl, LAST)
end

local function store(key, value, at, ends, old, old_ends)
  call('HSET', ENTRIES, key, pack('<I8I8', at, ends) .. value)
  if not old then call('ZADD', ORDER, 0, key) end
  if ends ~= 0 then
    call('ZADD', ENDS, ends, key)
  elseif old and old_ends ~= 0 then
    call('ZREM', ENDS, key)
  end
  bytes = bytes + cost(key, #value) - (old and cost(key, #old - HEAD) or 0)
  changed = true
  tell('S', key, at)
end

