-- What all scripts begin with; those that change something go on with drop.lua, and so on.
-- KEYS: 1 entries (hash: key -> version, end, value), 2 order (sorted set of keys, all with score 0),
--       3 ends (sorted set: key -> moment), 4 state (hash of the map's part).
-- ARGV: 1 most entries, 2 most bytes, 3 the map's time to live (ms; 0: none), 4 the command that
--       publishes, 5 the channel; from 6 on what the operation needs.
local ENTRIES, ORDER, ENDS, STATE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ENTRY_BYTES = $ENTRY_BYTES
-- The first element of a reply.
local OK, AGAIN, NO_ENTRY, ENTRIES_FULL, BYTES_FULL, OVERFLOW, NO_COUNTER = 0, 1, 2, 3, 4, 5, 6
-- The largest whole number that a Lua number holds exactly.
local LAST = 9007199254740991
local HEAD = 16

local call, pack, unpack = redis.call, struct.pack, struct.unpack
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local state = call('HMGET', STATE, 'version', 'bytes', 'watched')
local version = tonumber(state[1] or 0)
local bytes = tonumber(state[2] or 0)
local watched = tonumber(state[3] or 0) > now
local changed = false

-- Versions follow the clock, so that they go on even if the state was lost; their low half is never 0.
local function next_version()
  version = math.max(version + 1, micros)
  if version % 4294967296 == 0 then version = version + 1 end
  return version
end

local function tell(event, key, at)
  if watched then call(ARGV[4], ARGV[5], event .. pack('<I8', at) .. key) end
end

-- Record, version and end of an entry, whose time may be up.
local function load(key)
  local record = call('HGET', ENTRIES, key)
  if not record then return nil, 0, 0 end
  return record, unpack('<I8I8', record)
end

local function lives(ends)
  return ends == 0 or ends > now
end

