-- How far the files of the message log are folded into the tables above. name: the file's when it was read last. position: the
-- bytes before it are folded. fingerprint: a digest of the last of those bytes, by which a file is known again after it was
-- copied, and known to be another one after its inode was used again or it was truncated.
CREATE TABLE record_files (
    inode INTEGER PRIMARY KEY, name TEXT NOT NULL, position INTEGER NOT NULL, fingerprint INTEGER NOT NULL);
