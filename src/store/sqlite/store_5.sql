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

-- Reports that have taken effect. event: what came of it (a soft bounce, a notification, an unmatched complaint); id: a digest
-- of the message and the address; key: the journal's key of the report that took effect. The same report under another key
-- changes nothing until until_ms.
CREATE TABLE reported (
    event TEXT NOT NULL, id TEXT NOT NULL, address TEXT NOT NULL, key TEXT NOT NULL, until_ms INTEGER NOT NULL,
    PRIMARY KEY (event, id)) WITHOUT ROWID;
CREATE INDEX reported_address ON reported (address);
CREATE INDEX reported_until ON reported (until_ms);
INSERT OR IGNORE INTO reported SELECT 'soft-bounce', bounce, address, key, at_ms + 30 * 86400000 FROM strikes
    WHERE bounce IS NOT NULL ORDER BY at_ms;

-- Complaints that match nobody; found_by: Message-ID and feedback ids, separated by line ends.
CREATE TABLE unmatched_complaints (
    id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, feedback_type TEXT NOT NULL, reporter TEXT NOT NULL,
    found_by TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX unmatched_complaints_age ON unmatched_complaints (at_ms);
