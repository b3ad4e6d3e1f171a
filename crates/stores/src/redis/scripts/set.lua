-- ARGV: 6 key, 7 value, 8 condition ('': none, '0': absent, else a version), 9 time to live or ''.
local key, value = ARGV[6], ARGV[7]
local old, at, ends = load(key)
local current = (old and lives(ends)) and at or 0
if not holds(ARGV[8], current) then return { AGAIN, current } end
if old and current == 0 then
  drop(key, old, ends, 'X')
  old = nil
end
local refused = refusal(old and 0 or 1, cost(key, #value) - (old and cost(key, #old - HEAD) or 0))
if refused then return finish(refused) end
local stored = next_version()
store(key, value, stored, end_of(ARGV[9]), old, ends)
return finish({ OK, stored })
