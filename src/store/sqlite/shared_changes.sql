-- What notes the changes of shared rows. It is there while this host shares.

-- A change is noted by inserting it here.
CREATE VIEW IF NOT EXISTS shared_changes (name, is_gone) AS SELECT '', 0 WHERE 0;
CREATE TRIGGER IF NOT EXISTS shared_changes_noted INSTEAD OF INSERT ON shared_changes BEGIN
    UPDATE shared_self SET clock = max(clock + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER) << 20);
    INSERT INTO shared_stamps SELECT NEW.name, clock, host, NEW.is_gone FROM shared_self WHERE true
        ON CONFLICT (name) DO UPDATE SET rank = excluded.rank, host = excluded.host, is_gone = excluded.is_gone;
    INSERT INTO shared_queue VALUES (NEW.name) ON CONFLICT (name) DO NOTHING;
END;
-- The same for claims of reports, of which the first stands: the rank falls with time. A claim after an earlier one or its removal
-- is of the next generation.
CREATE VIEW IF NOT EXISTS shared_claims (name, is_gone) AS SELECT '', 0 WHERE 0;
CREATE TRIGGER IF NOT EXISTS shared_claims_noted INSTEAD OF INSERT ON shared_claims BEGIN
    INSERT INTO shared_stamps SELECT NEW.name,
        ((coalesce((SELECT rank >> 54 FROM shared_stamps WHERE name = NEW.name), NEW.is_gone - 1) + 1 - NEW.is_gone) << 54)
        + (1 << 54) - 2 + CASE WHEN NEW.is_gone THEN 1 ELSE -(CAST(unixepoch('subsec') * 1000 AS INTEGER) << 12) END,
        host, NEW.is_gone FROM shared_self WHERE true
        ON CONFLICT (name) DO UPDATE SET rank = excluded.rank, host = excluded.host, is_gone = excluded.is_gone;
    INSERT INTO shared_queue VALUES (NEW.name) ON CONFLICT (name) DO NOTHING;
END;

-- Suppressions, with those that later ones have replaced. What only moves from one of the tables to the other has not changed.
CREATE TRIGGER IF NOT EXISTS shared_suppression_added AFTER INSERT ON suppressions WHEN (SELECT is_on FROM shared_self) AND NOT EXISTS (
    SELECT 1 FROM earlier_suppressions AS same WHERE same.address = NEW.address AND same.sender_domain = NEW.sender_domain
    AND same.source = NEW.source AND same.key = NEW.key AND same.added_ms = NEW.added_ms AND same.expires_ms IS NEW.expires_ms)
BEGIN
    INSERT INTO shared_changes VALUES ('s' || NEW.address || char(10) || NEW.sender_domain || char(10) || NEW.source || char(10) || NEW.key, 0);
END;
CREATE TRIGGER IF NOT EXISTS shared_suppression_gone AFTER DELETE ON suppressions WHEN (SELECT is_on FROM shared_self) AND NOT EXISTS (
    SELECT 1 FROM earlier_suppressions AS same WHERE same.address = OLD.address AND same.sender_domain = OLD.sender_domain
    AND same.source = OLD.source AND same.key = OLD.key)
BEGIN
    INSERT INTO shared_changes VALUES ('s' || OLD.address || char(10) || OLD.sender_domain || char(10) || OLD.source || char(10) || OLD.key, 1);
END;
CREATE TRIGGER IF NOT EXISTS shared_earlier_gone AFTER DELETE ON earlier_suppressions WHEN (SELECT is_on FROM shared_self) AND NOT EXISTS (
    SELECT 1 FROM suppressions AS same WHERE same.address = OLD.address AND same.sender_domain = OLD.sender_domain
    AND same.source = OLD.source AND same.key = OLD.key)
BEGIN
    INSERT INTO shared_changes VALUES ('s' || OLD.address || char(10) || OLD.sender_domain || char(10) || OLD.source || char(10) || OLD.key, 1);
END;
-- Soft bounces: what bounced names them, or else the key.
CREATE TRIGGER IF NOT EXISTS shared_strike_added AFTER INSERT ON strikes WHEN (SELECT is_on FROM shared_self) AND NEW.proven BEGIN
    INSERT INTO shared_changes VALUES ('b' || NEW.address || char(10) || NEW.sender_domain || char(10) || coalesce(NEW.bounce, NEW.key), 0);
END;
CREATE TRIGGER IF NOT EXISTS shared_strike_gone AFTER DELETE ON strikes WHEN (SELECT is_on FROM shared_self) AND OLD.proven BEGIN
    INSERT INTO shared_changes VALUES ('b' || OLD.address || char(10) || OLD.sender_domain || char(10) || coalesce(OLD.bounce, OLD.key), 1);
END;
-- Reports that have taken effect. Which soft bounce reaches a threshold is a matter of the host.
CREATE TRIGGER IF NOT EXISTS shared_report_claimed AFTER INSERT ON reported WHEN (SELECT is_on FROM shared_self) AND NEW.event <> 'soft-threshold' BEGIN
    INSERT INTO shared_claims VALUES ('r' || NEW.event || char(10) || NEW.id, 0);
END;
CREATE TRIGGER IF NOT EXISTS shared_report_taken_over AFTER UPDATE OF key ON reported WHEN (SELECT is_on FROM shared_self) BEGIN
    INSERT INTO shared_claims VALUES ('r' || NEW.event || char(10) || NEW.id, 0);
END;
CREATE TRIGGER IF NOT EXISTS shared_report_erased AFTER UPDATE OF address ON reported WHEN (SELECT is_on FROM shared_self) AND NEW.address <> OLD.address
    AND NEW.event <> 'soft-threshold' BEGIN
    INSERT INTO shared_claims VALUES ('r' || NEW.event || char(10) || NEW.id, 0);
END;
CREATE TRIGGER IF NOT EXISTS shared_report_gone AFTER DELETE ON reported WHEN (SELECT is_on FROM shared_self) AND OLD.event <> 'soft-threshold' BEGIN
    INSERT INTO shared_claims VALUES ('r' || OLD.event || char(10) || OLD.id, 1);
END;
-- Which hosts are trackers.
CREATE TRIGGER IF NOT EXISTS shared_tracker_asked AFTER INSERT ON memory WHEN (SELECT is_on FROM shared_self) AND NEW.name GLOB 'http*://*' BEGIN
    INSERT INTO shared_changes VALUES ('t' || NEW.name, 0);
END;
-- What has expired needs no version any more.
CREATE TRIGGER IF NOT EXISTS shared_suppression_expired AFTER DELETE ON suppressions WHEN NOT (SELECT is_on FROM shared_self) BEGIN
    DELETE FROM shared_stamps WHERE name = 's' || OLD.address || char(10) || OLD.sender_domain || char(10) || OLD.source || char(10) || OLD.key;
END;
CREATE TRIGGER IF NOT EXISTS shared_earlier_expired AFTER DELETE ON earlier_suppressions WHEN NOT (SELECT is_on FROM shared_self) AND NOT EXISTS (
    SELECT 1 FROM suppressions AS same WHERE same.address = OLD.address AND same.sender_domain = OLD.sender_domain
    AND same.source = OLD.source AND same.key = OLD.key)
BEGIN
    DELETE FROM shared_stamps WHERE name = 's' || OLD.address || char(10) || OLD.sender_domain || char(10) || OLD.source || char(10) || OLD.key;
END;
CREATE TRIGGER IF NOT EXISTS shared_report_expired AFTER DELETE ON reported WHEN NOT (SELECT is_on FROM shared_self) BEGIN
    DELETE FROM shared_stamps WHERE name = 'r' || OLD.event || char(10) || OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS shared_tracker_expired AFTER DELETE ON memory WHEN NOT (SELECT is_on FROM shared_self) AND OLD.name GLOB 'http*://*' BEGIN
    DELETE FROM shared_stamps WHERE name = 't' || OLD.name;
END;
