-- Drops facts that ended long ago from a bucket, unless they have changed. KEYS: the bucket. ARGV: for each its field and the
-- first 13 octets of its value.
for at = 1, #ARGV, 2 do
  local field, header = ARGV[at], ARGV[at + 1]
  local value = redis.call('HGET', KEYS[1], field)
  if value and string.sub(value, 1, 13) == header then
    redis.call('HDEL', KEYS[1], field)
    for chunk = 2, string.byte(value, 13) do
      redis.call('HDEL', KEYS[1], field .. string.char(chunk))
    end
  end
end
return #ARGV / 2
