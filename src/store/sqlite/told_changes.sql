-- What notes the changes of the suppression list for events. It is there while [[events]] asks for them.

CREATE TABLE IF NOT EXISTS suppression_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, entry TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS told_suppression_added AFTER INSERT ON suppressions BEGIN
    INSERT INTO suppression_changes (at_ms, entry) VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER), json_object(
        'change', 'added', 'address', NEW.address, 'sender_domain', NEW.sender_domain, 'reason', NEW.reason,
        'source', NEW.source, 'added_ms', NEW.added_ms,
        'expires_ms', NEW.expires_ms, 'rule', NEW.rule, 'provider', NEW.provider, 'soft_bounces', NEW.soft_bounces));
END;
CREATE TRIGGER IF NOT EXISTS told_suppression_changed AFTER UPDATE ON suppressions BEGIN
    INSERT INTO suppression_changes (at_ms, entry) VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER), json_object(
        'change', 'changed', 'address', NEW.address, 'sender_domain', NEW.sender_domain, 'reason', NEW.reason,
        'source', NEW.source, 'added_ms', NEW.added_ms,
        'expires_ms', NEW.expires_ms, 'rule', NEW.rule, 'provider', NEW.provider, 'soft_bounces', NEW.soft_bounces));
END;
CREATE TRIGGER IF NOT EXISTS told_suppression_removed AFTER DELETE ON suppressions BEGIN
    INSERT INTO suppression_changes (at_ms, entry) VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER), json_object(
        'change', 'removed', 'address', OLD.address, 'sender_domain', OLD.sender_domain, 'reason', OLD.reason,
        'source', OLD.source, 'added_ms', OLD.added_ms,
        'expires_ms', OLD.expires_ms, 'rule', OLD.rule, 'provider', OLD.provider, 'soft_bounces', OLD.soft_bounces));
END;
