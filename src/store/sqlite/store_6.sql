-- How far the files of the message log are folded into the tables above. name: the file's when it was read last. position: the
-- bytes before it are folded. fingerprint: a digest of the last of those bytes, by which a file is known again after it was
-- copied, and known to be another one after its inode was used again or it was truncated.
CREATE TABLE record_files (
    inode INTEGER PRIMARY KEY, name TEXT NOT NULL, position INTEGER NOT NULL, fingerprint INTEGER NOT NULL);
-- The file that holds the message of a promise, and where it begins there: a file of a relay directory, claimed by the run that
-- promised. The column message is NULL then. Steps that are left for later get the message copied here, and file is NULL again.
ALTER TABLE journal ADD COLUMN file TEXT;
ALTER TABLE journal ADD COLUMN begins INTEGER NOT NULL DEFAULT 0;

-- What a tick looks for among everything else: messages that a process works on, notifications that have failed, and rows whose
-- time has passed.
CREATE INDEX journal_owned ON journal (owner) WHERE owner IS NOT NULL;
CREATE INDEX steps_failed ON steps (key) WHERE action = 'notify' AND state IN ('failed', 'parked');
CREATE INDEX suppressions_expiry ON suppressions (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX earlier_suppressions_expiry ON earlier_suppressions (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX strikes_age ON strikes (at_ms);
CREATE INDEX memory_expiry ON memory (expires_ms);
-- The address that a notification is about, in lower case.
ALTER TABLE steps ADD COLUMN address TEXT;
UPDATE steps SET address = (
    SELECT lower(json_extract(plan, '$.steps[' || step || '].address')) FROM journal WHERE journal.key = steps.key)
    WHERE action = 'notify';
CREATE INDEX steps_address ON steps (address) WHERE address IS NOT NULL;

-- Addresses that have come to the list by soft bounces since the file of them beside the store was brought up to date.
CREATE TABLE new_soft (address TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER suppressions_new_soft AFTER INSERT ON suppressions WHEN NEW.soft_bounces > 0 BEGIN
    INSERT OR IGNORE INTO new_soft VALUES (NEW.address);
END;
