-- bounce: a digest of Message-ID and address; logged: from a log line, not a report. Both together count once.
ALTER TABLE strikes ADD COLUMN bounce TEXT;
ALTER TABLE strikes ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;

-- Looked up URL templates of applications; NULL: none was found so far. Not looked up again before fresh_ms.
CREATE TABLE templates (
    source TEXT PRIMARY KEY, template TEXT, etag TEXT, fresh_ms INTEGER NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;
-- The state of a step may be 'parked' as well: it failed, and waits for an operator.
CREATE INDEX steps_parked ON steps (key) WHERE state = 'parked';
