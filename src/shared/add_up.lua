-- Puts what a host has counted, and adds up all hosts. KEYS: the total. ARGV: the host, its count, seconds until the total is
-- forgotten (0: never). Returns the sum, and a field that no host has written; without one, an empty text.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
local sum, foreign = 0, ''
local fields = redis.call('HGETALL', KEYS[1])
for at = 1, #fields, 2 do
  local host, count = fields[at], fields[at + 1]
  if #host == 8 and #count < 20 and string.match(host, '^%x+$') and string.match(count, '^%d+$') then
    sum = sum + tonumber(count)
  else
    foreign = host
  end
end
return {string.format('%.0f', sum), foreign}
