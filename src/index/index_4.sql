-- Pending work that could not be done: tries so far, and when the next one is due (milliseconds since 1970).
ALTER TABLE owed ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owed ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;
