-- ARGV: 6 key, 7 condition.
local old, at, ends = load(ARGV[6])
if not old or not lives(ends) then return { NO_ENTRY } end
if not holds(ARGV[7], at) then return { AGAIN, at } end
drop(ARGV[6], old, ends, 'D')
return finish({ OK })
