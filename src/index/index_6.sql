CREATE TABLE changed (
    -- Deliveries that changed, in the order of the changes, until every sink of [[events]] has them. Those up to the number
    -- that `meta` has as 'queued changes' are in the queue of events.
    number INTEGER PRIMARY KEY, row INTEGER NOT NULL);
INSERT INTO changed (row) SELECT row FROM owed WHERE what = 'queued event' ORDER BY row;
INSERT INTO meta (name, value) SELECT 'queued changes', count(*) FROM changed;
INSERT INTO changed (row) SELECT row FROM owed WHERE what = 'event' ORDER BY row;
DELETE FROM owed WHERE what IN ('event', 'queued event');
