-- For scripts that change something.
-- Conditions are compared as text: not every version that a guest may name is a Lua number.
local function holds(condition, current)
  return condition == '' or condition == string.format('%.0f', current)
end

local function cost(key, value_bytes)
  return #key + value_bytes + ENTRY_BYTES
end

local function drop(key, record, ends, event)
  call('HDEL', ENTRIES, key)
  call('ZREM', ORDER, key)
  if ends ~= 0 then call('ZREM', ENDS, key) end
  bytes = bytes - cost(key, #record - HEAD)
  changed = true
  tell(event, key, next_version())
end

-- Removes entries whose time is up; answers how many.
local function sweep(most)
  local ended = call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, most)
  for _, key in ipairs(ended) do
    local record, _, ends = load(key)
    if record then
      drop(key, record, ends, 'X')
    else
      call('ZREM', ENDS, key)
    end
  end
  return #ended
end

local function finish(reply)
  if changed then call('HSET', STATE, 'version', version, 'bytes', bytes) end
  return reply
end

