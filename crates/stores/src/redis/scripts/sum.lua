-- The sum of two counters, 8 bytes each; nil if it is none.
local function sum(a, b)
  local a_low, a_high = unpack('<I4i4', a)
  local b_low, b_high = unpack('<I4i4', b)
  local low, high = a_low + b_low, a_high + b_high
  if low >= 4294967296 then low, high = low - 4294967296, high + 1 end
  if high > 2147483647 or high < -2147483648 then return nil end
  return pack('<I4i4', low, high)
end

