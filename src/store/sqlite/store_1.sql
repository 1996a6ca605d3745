CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('startedRunning', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'));

-- bouncy-sink's counters, without its int_ prefix, and carom's own.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- Messages of each minute; unix seconds of the minute's start.
CREATE TABLE series (minute INTEGER PRIMARY KEY, messages INTEGER NOT NULL);

-- A message whose plan was promised. owner: the process that works on it. message: NULL when all is done.
CREATE TABLE journal (
    key TEXT PRIMARY KEY, state TEXT NOT NULL, at_ms INTEGER NOT NULL, owner TEXT,
    policy TEXT, seed TEXT, envelope TEXT, plan TEXT, message BLOB);
CREATE INDEX journal_age ON journal (at_ms) WHERE state = 'finished';

-- state: pending, succeeded, failed, skipped. lease_ms: until then the step belongs to a process.
CREATE TABLE steps (
    key TEXT NOT NULL, step INTEGER NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL,
    after INTEGER, outcome TEXT, due_ms INTEGER NOT NULL, lease_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (key, step)) WITHOUT ROWID;
CREATE INDEX steps_due ON steps (due_ms) WHERE state = 'pending';

-- Answers that expire: of tracker checks, and notifications that were sent.
CREATE TABLE memory (name TEXT PRIMARY KEY, value INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
