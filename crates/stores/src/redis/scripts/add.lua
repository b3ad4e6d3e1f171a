-- ARGV: 6 key, 7 what to add, as 8 bytes.
local key = ARGV[6]
local old, at, ends = load(key)
local before, keeps = '\0\0\0\0\0\0\0\0', nil
if old and lives(ends) then
  if #old ~= HEAD + 8 then return { NO_COUNTER } end
  before, keeps = string.sub(old, HEAD + 1), ends
end
local after = sum(before, ARGV[7])
if not after then return { OVERFLOW } end
if old and not keeps then
  drop(key, old, ends, 'X')
  old = nil
end
if not old then
  local refused = refusal(1, cost(key, 8))
  if refused then return finish(refused) end
end
local stored = next_version()
store(key, after, stored, keeps or end_of(''), old, ends)
return finish({ OK, stored, after })
