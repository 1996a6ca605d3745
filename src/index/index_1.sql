-- One message to one recipient. Times are milliseconds since 1970, UTC. An empty sender is the null sender.
-- id: seconds of first_seen, shifted left by 32, plus 32 bits of a hash of host, queue id and place,
-- or the next free one; so ids are in order of time. mark: 32 other bits of the hash, to recognize the delivery.
-- status: sent, bounced, deferred, expired, deleted, discarded, held, rejected.
-- meaning: of `reply`, by the policy; negative if no rule knew it. logged_category: PowerMTA's.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, mark INTEGER NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    queue_id TEXT, message_id TEXT, client_id TEXT, sender TEXT COLLATE NOCASE,
    recipient TEXT COLLATE NOCASE, original_recipient TEXT COLLATE NOCASE,
    relay TEXT, dsn TEXT, reply TEXT, meaning INTEGER, delay REAL, delays TEXT, size INTEGER, nrcpt INTEGER, host TEXT,
    requeued_as TEXT, parent TEXT, notification TEXT, logged_category TEXT);
CREATE INDEX deliveries_original ON deliveries (original_recipient) WHERE original_recipient IS NOT NULL;
CREATE INDEX deliveries_requeued ON deliveries (requeued_as) WHERE requeued_as IS NOT NULL;
CREATE INDEX deliveries_unclassified ON deliveries (last_seen) WHERE meaning < 0;

-- Why deliveries fail. severity: hard, soft, none, unknown. rule: empty if no rule knew the reply.
CREATE TABLE meanings (
    id INTEGER PRIMARY KEY, reason TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL, rule TEXT NOT NULL,
    UNIQUE (reason, category, severity, rule));

CREATE VIEW readable AS SELECT
    strftime('%Y-%m-%d %H:%M:%S', last_seen / 1000, 'unixepoch') AS last_seen, status, attempts, sender, recipient,
    original_recipient, queue_id, message_id, client_id, relay, dsn, reason,
    coalesce(logged_category, category) AS category, severity, rule, reply,
    strftime('%Y-%m-%d %H:%M:%S', first_seen / 1000, 'unixepoch') AS first_seen, deliveries.id AS id
    FROM deliveries LEFT JOIN meanings ON meanings.id = meaning;

-- The logs, and where reading stopped; `position` and `state` are JSON.
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position TEXT, state TEXT, read_ms INTEGER,
    bytes INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0, ignored INTEGER NOT NULL DEFAULT 0,
    other INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, cut INTEGER NOT NULL DEFAULT 0);

-- Messages that have not ended, as JSON. first_id: the queue id before it was requeued.
CREATE TABLE under_way (
    log INTEGER NOT NULL, queue_id TEXT NOT NULL, host TEXT NOT NULL, first_id TEXT,
    closed INTEGER NOT NULL, last_ms INTEGER NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (log, queue_id, host)) WITHOUT ROWID;
CREATE INDEX under_way_first ON under_way (first_id) WHERE first_id IS NOT NULL;
CREATE INDEX under_way_closed ON under_way (last_ms) WHERE closed = 1;

-- What replies mean, by their hash, so that no reply is asked for twice.
CREATE TABLE classes (text INTEGER PRIMARY KEY, meaning INTEGER NOT NULL);

-- policy: the one that decided the classes. expired: when old deliveries were last removed.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
