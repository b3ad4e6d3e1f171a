-- ARGV from 6 on, five for each operation: 'C'heck, 'S'et, 'D'elete or 'A'dd; key; value or what to
-- add; condition; time to live. All is decided on a stage before anything changes.
local stage, order, reply = {}, {}, { OK }
for first = 6, #ARGV, 5 do
  local what, key, value, condition = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3]
  local at = stage[key]
  if not at then
    local old, version_, ends = load(key)
    at = { old = old, old_ends = ends, now = 0 }
    if old and lives(ends) then
      at.now, at.value, at.ends = version_, string.sub(old, HEAD + 1), ends
    end
    stage[key] = at
    order[#order + 1] = key
  end
  if what == 'C' then
    if not holds(condition, at.now) then return { AGAIN, at.now } end
    reply[#reply + 1] = at.now
  elseif what == 'S' then
    if not holds(condition, at.now) then return { AGAIN, at.now } end
    at.now, at.value, at.ends, at.changed = next_version(), value, end_of(ARGV[first + 4]), true
    reply[#reply + 1] = at.now
  elseif what == 'D' then
    reply[#reply + 1] = at.value and 1 or 0
    at.now, at.value, at.changed = 0, nil, true
  else
    if at.value and #at.value ~= 8 then return { NO_COUNTER } end
    local after = sum(at.value or '\0\0\0\0\0\0\0\0', value)
    if not after then return { OVERFLOW } end
    if not at.value then at.ends = end_of('') end
    at.now, at.value, at.changed = next_version(), after, true
    reply[#reply + 1] = { at.now, after }
  end
end

local more_entries, more_bytes = 0, 0
for _, key in ipairs(order) do
  local at = stage[key]
  if at.old and not lives(at.old_ends) then
    drop(key, at.old, at.old_ends, 'X')
    at.old = nil
  end
  if at.changed and at.value then
    more_entries = more_entries + (at.old and 0 or 1)
    more_bytes = more_bytes + cost(key, #at.value) - (at.old and cost(key, #at.old - HEAD) or 0)
  elseif at.changed and at.old then
    more_entries = more_entries - 1
    more_bytes = more_bytes - cost(key, #at.old - HEAD)
  end
end
local refused = refusal(more_entries, more_bytes)
if refused then return finish(refused) end
for _, key in ipairs(order) do
  local at = stage[key]
  if at.changed and at.value then
    store(key, at.value, at.now, at.ends, at.old, at.old_ends)
  elseif at.changed and at.old then
    drop(key, at.old, at.old_ends, 'D')
  end
end
return finish(reply)
