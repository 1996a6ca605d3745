-- The recipients of long messages under way, in pieces; the first piece is in the message.
CREATE TABLE under_way_recipients (
    log INTEGER NOT NULL, queue_id TEXT NOT NULL, host TEXT NOT NULL, piece INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    PRIMARY KEY (log, queue_id, host, piece)) WITHOUT ROWID;
-- whose: own, others (they sent it through us) or carom (it was handed to carom).
DROP INDEX routes_names;
ALTER TABLE routes ADD COLUMN whose TEXT NOT NULL DEFAULT 'own';
CREATE UNIQUE INDEX routes_names ON routes (
    vmta COLLATE BINARY, pool COLLATE BINARY, ip COLLATE BINARY, instance COLLATE BINARY, transport COLLATE BINARY,
    campaign COLLATE BINARY, tls COLLATE BINARY, whose);
DROP VIEW readable;
CREATE VIEW readable AS SELECT
    strftime('%Y-%m-%d %H:%M:%S', last_seen / 1000, 'unixepoch') AS last_seen, status, attempts, sender, recipient,
    original_recipient, queue_id, message_id, client_id, relay, dsn, reason,
    coalesce(logged_category, category) AS category, severity, nullif(about, '') AS about, rule, reply,
    nullif(tls, '') AS tls,
    CASE WHEN vmta <> '' THEN 'vmta/' || vmta WHEN pool <> '' THEN 'pool/' || pool WHEN ip <> '' THEN 'ip/' || ip
    WHEN transport <> '' THEN 'transport/' || transport WHEN instance <> '' THEN 'instance/' || instance
    WHEN campaign <> '' THEN 'campaign/' || campaign END AS source, nullif(campaign, '') AS campaign,
    coalesce(whose, 'own') AS whose,
    strftime('%Y-%m-%d %H:%M:%S', first_seen / 1000, 'unixepoch') AS first_seen, deliveries.id AS id
    FROM deliveries LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route;
