-- What a policy with `monitor = true` would have decided otherwise; plans are JSON.
CREATE TABLE differences (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, envelope TEXT NOT NULL, seed TEXT NOT NULL,
    policy TEXT NOT NULL, hash TEXT NOT NULL, plan TEXT NOT NULL,
    other_policy TEXT NOT NULL, other_hash TEXT NOT NULL, other_plan TEXT NOT NULL);

-- Addresses that get no more mail. An empty sender_domain: from any domain.
CREATE TABLE suppressions (
    address TEXT NOT NULL, sender_domain TEXT NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL,
    added_ms INTEGER NOT NULL, expires_ms INTEGER, PRIMARY KEY (address, sender_domain)) WITHOUT ROWID;
-- Soft bounces; `key` is the journal key of the report, or the id of the delivery in the logs.
CREATE TABLE strikes (
    address TEXT NOT NULL, sender_domain TEXT NOT NULL, key TEXT NOT NULL, at_ms INTEGER NOT NULL,
    proven INTEGER NOT NULL, PRIMARY KEY (address, sender_domain, key)) WITHOUT ROWID;
