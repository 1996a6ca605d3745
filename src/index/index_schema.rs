//! The tables of `index.db`. Everything can be read with the `sqlite3` shell; `readable` is a view with times as people write
//! them.
//!
//! Indexes that most rows are in are made at the end of the first tick, when there is something to index: sorting everything once is
//! many times faster than inserting row by row. Invariant: as for the store, `user_version` says which migrations a file has had.

/// One entry a version.
pub(crate) const MIGRATIONS: &[&str] = &["
    -- One message and recipient. Times are milliseconds since 1970, UTC; absent is NULL; an empty sender is the null sender.
    -- id: seconds of first_seen, shifted left by 32, and 32 bits of a hash of host, queue id and place, or the next that is free.
    -- So ids are in order of time. mark: 32 other bits of the hash, by which the delivery is known again.
    -- status: sent, bounced, deferred, expired, deleted, discarded, held, rejected.
    -- meaning: what the policy says of `reply`; negative where no rule knew it. logged_category: PowerMTA's own.
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

    -- ReasonCount deliveries fail. severity: hard, soft, none, unknown. rule: empty if none knew the text.
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

    -- Messages whose end was not seen yet, as JSON. first_id: the queue id before it was requeued.
    CREATE TABLE under_way (
        log INTEGER NOT NULL, queue_id TEXT NOT NULL, host TEXT NOT NULL, first_id TEXT,
        closed INTEGER NOT NULL, last_ms INTEGER NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (log, queue_id, host)) WITHOUT ROWID;
    CREATE INDEX under_way_first ON under_way (first_id) WHERE first_id IS NOT NULL;
    CREATE INDEX under_way_closed ON under_way (last_ms) WHERE closed = 1;

    -- What texts mean, by a hash of them, so that none is asked for twice.
    CREATE TABLE classes (text INTEGER PRIMARY KEY, meaning INTEGER NOT NULL);

    -- policy: whose word the classes are. expired: when old deliveries were last looked for.
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
", "
    CREATE TABLE sums (
        -- Statistics: what came to its end, and attempts that were put off (deferrals), in the minute, hour and day (UTC) in which
        -- that was logged, and since carom began to count (step 'ever', at 0). at: the beginning, milliseconds since 1970.
        -- dimension: all, recipient-domain, provider, sender-domain, client, relay. Minutes have more than `all` for some hours only.
        step TEXT NOT NULL, dimension TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL,
        sent INTEGER NOT NULL, bounced INTEGER NOT NULL, expired INTEGER NOT NULL, rejected INTEGER NOT NULL,
        deleted INTEGER NOT NULL, discarded INTEGER NOT NULL, deferrals INTEGER NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (step, dimension, at, name)) WITHOUT ROWID;

    CREATE TABLE delays (
        -- How many were delivered within how long: bucket n is about 0.01 s times 2 to the n/4, from arrival.
        step TEXT NOT NULL, dimension TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, bucket INTEGER NOT NULL,
        deliveries INTEGER NOT NULL, PRIMARY KEY (step, dimension, at, name, bucket)) WITHOUT ROWID;

    CREATE TABLE reasons (
        -- ReasonCount. kind: failed, rejected (deliveries), deferral (attempts). provider: empty where it is not known. unknown: no rule decided.
        step TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, provider TEXT NOT NULL, reason TEXT NOT NULL,
        category TEXT NOT NULL, unknown INTEGER NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (step, at, kind, provider, reason, category, unknown)) WITHOUT ROWID;

    CREATE TABLE owed (
        -- Deliveries of which something is still to be done. what: event (to be written into a file of events), failure (to be acted
        -- upon as a report would be).
        what TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (what, row)) WITHOUT ROWID;

    CREATE TABLE lines (
        -- Lines of logs, in the hour of the latest line that was read with them.
        at INTEGER PRIMARY KEY, parsed INTEGER NOT NULL, ignored INTEGER NOT NULL, other INTEGER NOT NULL, unknown INTEGER NOT NULL);
"];

/// Made when a tick has read all that there is.
pub(crate) const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS deliveries_recipient ON deliveries (recipient);
    CREATE INDEX IF NOT EXISTS deliveries_queue ON deliveries (queue_id);
    CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message_id);
    CREATE INDEX IF NOT EXISTS deliveries_client ON deliveries (client_id, last_seen) WHERE client_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS deliveries_status ON deliveries (status, last_seen) WHERE status <> 'sent';
    CREATE INDEX IF NOT EXISTS deliveries_time ON deliveries (last_seen);
";
