-- What notes addresses that come to the suppression list, the latest 10,000, by a number that only rises. It is there once a process
-- has remembered which addresses are on the list.
CREATE TABLE IF NOT EXISTS new_suppressions (number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE);
-- The conflict clause of whoever adds an entry holds in here, too.
CREATE TRIGGER IF NOT EXISTS new_suppression_added AFTER INSERT ON suppressions BEGIN
    INSERT OR IGNORE INTO new_suppressions (address) VALUES (NEW.address);
    DELETE FROM new_suppressions WHERE number <= (SELECT seq FROM sqlite_sequence WHERE name = 'new_suppressions') - 10000;
END;
CREATE TRIGGER IF NOT EXISTS new_suppression_gone AFTER DELETE ON suppressions
WHEN NOT EXISTS (SELECT 1 FROM suppressions WHERE address = OLD.address) BEGIN
    DELETE FROM new_suppressions WHERE address = OLD.address;
END;
