-- ARGV: 6 and 7 the range of keys as ZRANGEBYLEX takes it, 8 most entries, 9 most bytes as the ABI
-- packs them. Replies 1 if there is more, then key and record of each entry; or 2, and size and key of
-- an entry that is too large for any page.
local from, most, room = ARGV[6], tonumber(ARGV[8]), tonumber(ARGV[9])
local reply = { OK, 0 }
local listed, used = 0, 0
while true do
  local keys = call('ZRANGEBYLEX', ORDER, from, ARGV[7], 'LIMIT', 0, 64)
  for _, key in ipairs(keys) do
    local record, _, ends = load(key)
    if record and lives(ends) then
      local packed = math.ceil((#key + #record - HEAD + 16) / 8) * 8
      if listed == 0 and packed > room then return { OK, 2, packed, key } end
      if listed == most or used + packed > room then
        reply[2] = 1
        return reply
      end
      reply[#reply + 1] = key
      reply[#reply + 1] = record
      listed, used = listed + 1, used + packed
    end
  end
  if #keys < 64 then return reply end
  from = '(' .. keys[#keys]
end
