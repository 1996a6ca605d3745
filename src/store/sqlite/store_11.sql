-- Lines of the message log about a batch of failures in the mail log, until they are in the log. owner: the process that acts on
-- the batch, as in the journal.
CREATE TABLE IF NOT EXISTS noted_lines (batch INTEGER PRIMARY KEY, owner TEXT NOT NULL, lines TEXT NOT NULL);
