-- What this host shares with others, if the config has [shared]. One row. is_on: changes are noted in shared_stamps and
-- shared_queue; 0 also while a change of another host is taken over. host: the number of this store among the hosts. clock: the
-- greatest rank that is known, of entries and soft bounces.
CREATE TABLE shared_self (is_on INTEGER NOT NULL, host INTEGER NOT NULL, clock INTEGER NOT NULL);
INSERT INTO shared_self VALUES (0, 0, 0);
-- The version of each fact that was changed since sharing began. name: a letter for the kind, then what it is about. is_gone: it
-- was removed. A fact without a row is as old as it says itself.
CREATE TABLE shared_stamps (
    name TEXT PRIMARY KEY, rank INTEGER NOT NULL, host INTEGER NOT NULL, is_gone INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX shared_stamps_gone ON shared_stamps (rank) WHERE is_gone;
-- Facts that the other hosts have not got yet.
CREATE TABLE shared_queue (name TEXT PRIMARY KEY) WITHOUT ROWID;
-- How far the changes of each group of facts are read. mark: a digest of the change at that place. behind: the group is to be
-- compared as a whole.
CREATE TABLE shared_groups (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, mark INTEGER NOT NULL, behind INTEGER NOT NULL);
-- Minutes (m and their start) as they were shipped.
CREATE TABLE shared_totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
