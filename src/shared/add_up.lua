-- Puts what a host has counted, and adds up all hosts. KEYS: the total. ARGV: the host, its count, seconds until the total is
-- forgotten (0: never).
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
local sum = 0
for _, count in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + tonumber(count) end
return string.format('%.0f', sum)
