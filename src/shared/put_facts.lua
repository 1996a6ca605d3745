-- Puts facts of one group. KEYS: log, used, then the bucket of each fact. ARGV: the length of the log, octets by chance, the
-- greatest rank that is believed; then for each fact the number of its bucket, its field, the number of its chunks and the chunks.
-- A fact is kept if its rank and host are greater than those that are there, or if what is there is not whole, is of another name
-- or is not believed. By the octets, a change differs from the same one in a log that was lost. Returns the number of the newest
-- change, that change, and its octets.
local log, used, at = KEYS[1], KEYS[2], 4
local function newest()
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last then return 0, '', '' end
  return tonumber(string.match(last[1], '^%d+')), last[2][2], last[2][4]
end
local number, change, chance = newest()
-- 1, 0 or -1: the first is greater, the same or smaller, compared in N parts of four octets.
local function order(one, other, parts)
  for part = 0, parts - 1 do
    local a, b = struct.unpack('>I4', one, part * 4 + 1), struct.unpack('>I4', other, part * 4 + 1)
    if a ~= b then return a > b and 1 or -1 end
  end
  return 0
end
local function name(octets) return string.match(string.sub(octets, 14), '^[^\31]*') end
-- All octets of what is there; nil: a part is lost.
local function whole(bucket, field)
  local first = redis.call('HGET', bucket, field)
  if not first or #first < 13 then return nil, first end
  local octets = {first}
  for chunk = 2, string.byte(first, 13) do
    octets[chunk] = redis.call('HGET', bucket, field .. string.char(chunk))
    if not octets[chunk] then return nil, first end
  end
  return table.concat(octets), first
end
local function stands(old, new)
  if not old or order(old, ARGV[3], 2) > 0 or name(old) ~= name(new) then return false end
  local one = order(old, new, 3)
  return one > 0 or one == 0 and old == new
end
for key = 3, #KEYS do
  local bucket, slot, field, many = KEYS[key], ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local new = table.concat(ARGV, '', at + 3, at + 2 + many)
  local old, first = whole(bucket, field)
  if not stands(old, new) then
    for chunk = 1, many do
      redis.call('HSET', bucket, chunk == 1 and field or field .. string.char(chunk), ARGV[at + 2 + chunk])
    end
    if first and #first >= 13 then
      for chunk = many + 1, string.byte(first, 13) do
        redis.call('HDEL', bucket, field .. string.char(chunk))
      end
    end
    number = number + 1
    change, chance = new, ARGV[2]
    redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], string.format('%d-0', number), 'v', change, 'n', chance)
  end
  redis.call('SETBIT', used, slot, 1)
  at = at + 3 + many
end
return {number, change, chance}
