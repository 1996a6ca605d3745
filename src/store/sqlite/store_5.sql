-- Why an entry is on the list, empty where that is not known: the rule that classified the failure, who ran the recipient's
-- mail server, the enhanced status code, the journal key of the report, a digest of what bounced (as in strikes).
-- soft_bounces: how many led to it; 0: something else did, or the entry is older than this column.
ALTER TABLE suppressions ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE suppressions ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE suppressions ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE suppressions ADD COLUMN soft_bounces INTEGER NOT NULL DEFAULT 0;
ALTER TABLE suppressions ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE suppressions ADD COLUMN bounce TEXT NOT NULL DEFAULT '';
-- Entries that another source or report has replaced. They come back when that is undone.
CREATE TABLE earlier_suppressions (
    address TEXT NOT NULL, sender_domain TEXT NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL,
    added_ms INTEGER NOT NULL, expires_ms INTEGER, rule TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,
    soft_bounces INTEGER NOT NULL, key TEXT NOT NULL, bounce TEXT NOT NULL,
    PRIMARY KEY (address, sender_domain, source, key)) WITHOUT ROWID;
CREATE INDEX suppressions_added ON suppressions (added_ms);
CREATE INDEX suppressions_soft ON suppressions (address) WHERE soft_bounces > 0;
CREATE INDEX earlier_suppressions_added ON earlier_suppressions (added_ms);
-- The domain of an entry that is a pattern of addresses (user+*@example.com); NULL: an address, or a whole domain
-- (@example.com) or the domains below one (@*.example.com).
ALTER TABLE suppressions ADD COLUMN pattern_of TEXT;
ALTER TABLE earlier_suppressions ADD COLUMN pattern_of TEXT;
CREATE INDEX suppressions_patterns ON suppressions (pattern_of) WHERE pattern_of IS NOT NULL;
