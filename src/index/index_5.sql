-- The recipients of long messages under way, in pieces; the first piece is in the message.
CREATE TABLE under_way_recipients (
    log INTEGER NOT NULL, queue_id TEXT NOT NULL, host TEXT NOT NULL, piece INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    PRIMARY KEY (log, queue_id, host, piece)) WITHOUT ROWID;
