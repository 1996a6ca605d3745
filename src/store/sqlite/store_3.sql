-- Alerts by rule and group, except those that have been quiet for long. state: pending, firing, resolved.
-- told: the state in the last notification; told_ms: its time; fired_ms: the time of the last one that it fires.
CREATE TABLE alerts (
    rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, since_ms INTEGER NOT NULL, value REAL,
    told TEXT NOT NULL, told_ms INTEGER NOT NULL, fired_ms INTEGER NOT NULL,
    PRIMARY KEY (rule, subject)) WITHOUT ROWID;
