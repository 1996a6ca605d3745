-- Of the entries of an address, the one with the greatest version is in force on each host that shares; it was the one with the
-- latest time (shared_ranks.rs).
CREATE TABLE outranking AS SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY address, sender_domain ORDER BY rank DESC, source DESC, key DESC) AS place FROM (
        SELECT *, coalesce((SELECT stamps.rank FROM shared_stamps AS stamps WHERE stamps.name =
            's' || address || char(10) || sender_domain || char(10) || source || char(10) || key),
            min(max(added_ms, 0), 4398046511103) << 20) AS rank
        FROM earlier_suppressions WHERE (SELECT is_on FROM shared_self)))
    WHERE place = 1;
DELETE FROM outranking WHERE EXISTS (SELECT 1 FROM suppressions AS one
    WHERE one.address = outranking.address AND one.sender_domain = outranking.sender_domain
    AND (coalesce((SELECT stamps.rank FROM shared_stamps AS stamps WHERE stamps.name =
            's' || one.address || char(10) || one.sender_domain || char(10) || one.source || char(10) || one.key),
            min(max(one.added_ms, 0), 4398046511103) << 20), one.source, one.key)
        > (outranking.rank, outranking.source, outranking.key));
INSERT OR REPLACE INTO earlier_suppressions (address, sender_domain, reason, source, added_ms, expires_ms, rule, provider, status,
        soft_bounces, key, bounce, pattern_of)
    SELECT address, sender_domain, reason, source, added_ms, expires_ms, rule, provider, status, soft_bounces, key, bounce, pattern_of
    FROM suppressions WHERE (address, sender_domain) IN (SELECT address, sender_domain FROM outranking);
INSERT OR REPLACE INTO suppressions (address, sender_domain, reason, source, added_ms, expires_ms, rule, provider, status,
        soft_bounces, key, bounce, pattern_of)
    SELECT address, sender_domain, reason, source, added_ms, expires_ms, rule, provider, status, soft_bounces, key, bounce, pattern_of
    FROM outranking;
DELETE FROM earlier_suppressions WHERE (address, sender_domain, source, key) IN
    (SELECT address, sender_domain, source, key FROM outranking);
DROP TABLE outranking;
