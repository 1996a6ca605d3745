CREATE TABLE sums (
    -- Statistics: deliveries that ended, and deferred attempts, in the minute, hour and day (UTC) in which
    -- that was logged, and of all time (step 'ever', at 0). at: the beginning, milliseconds since 1970.
    -- dimension: all, recipient-domain, provider, sender-domain, client, relay. Old minutes have `all` only.
    step TEXT NOT NULL, dimension TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL,
    sent INTEGER NOT NULL, bounced INTEGER NOT NULL, expired INTEGER NOT NULL, rejected INTEGER NOT NULL,
    deleted INTEGER NOT NULL, discarded INTEGER NOT NULL, deferrals INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (step, dimension, at, name)) WITHOUT ROWID;

CREATE TABLE delays (
    -- Deliveries by delay since arrival: bucket n is about 0.01 s times 2 to the n/4.
    step TEXT NOT NULL, dimension TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, bucket INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, PRIMARY KEY (step, dimension, at, name, bucket)) WITHOUT ROWID;

CREATE TABLE reasons (
    -- kind: failed, rejected (deliveries), deferral (attempts). provider: empty if unknown. unknown: no rule decided.
    step TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, provider TEXT NOT NULL, reason TEXT NOT NULL,
    category TEXT NOT NULL, unknown INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (step, at, kind, provider, reason, category, unknown)) WITHOUT ROWID;

CREATE TABLE owed (
    -- Pending work. what: event (write it into a file of events), failure (handle it as a report).
    what TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (what, row)) WITHOUT ROWID;

CREATE TABLE lines (
    -- Lines of logs, in the hour of the newest line that was read with them.
    at INTEGER PRIMARY KEY, parsed INTEGER NOT NULL, ignored INTEGER NOT NULL, other INTEGER NOT NULL, unknown INTEGER NOT NULL);
