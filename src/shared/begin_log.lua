-- Begins the log of a group that has facts and has lost its log, so that losing everything is noticed too. KEYS: the log. ARGV: a
-- fact of the group, octets by chance. Returns whether it did.
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XLEN', KEYS[1]) > 0 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[1], '1-0', 'v', ARGV[1], 'n', ARGV[2])
return 1
