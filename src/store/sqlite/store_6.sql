-- How far the files of the message log are folded into the tables above. name: the file's when it was read last. position: the
-- bytes before it are folded. fingerprint: a digest of the last of those bytes, by which a file is known again after it was
-- copied, and known to be another one after its inode was used again or it was truncated.
CREATE TABLE record_files (
    inode INTEGER PRIMARY KEY, name TEXT NOT NULL, position INTEGER NOT NULL, fingerprint INTEGER NOT NULL);
-- The file that holds the message of a promise, and where it begins there: a file of a relay directory, claimed by the run that
-- promised. The column message is NULL then. Steps that are left for later get the message copied here, and file is NULL again.
ALTER TABLE journal ADD COLUMN file TEXT;
ALTER TABLE journal ADD COLUMN begins INTEGER NOT NULL DEFAULT 0;
