-- about: what a refusal is about: recipient, recipient-domain, sender, sending-host, message, relay, network, nobody.
-- Of meanings that an earlier release stored it follows from the reason. Every meaning keeps its number.
DROP VIEW readable;
ALTER TABLE meanings RENAME TO meanings_before;
CREATE TABLE meanings (
    id INTEGER PRIMARY KEY, reason TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL, rule TEXT NOT NULL,
    about TEXT NOT NULL, UNIQUE (reason, category, severity, rule, about));
INSERT INTO meanings SELECT id, reason, category, severity, rule, '' FROM meanings_before;
DROP TABLE meanings_before;
-- The remembered classes of replies name no `about`, so each reply is asked for again.
DELETE FROM classes;

-- How deliveries were sent; each combination is stored once. An absent name is empty. vmta, pool, ip: PowerMTA's virtual MTA,
-- its pool, and the source address. instance, transport: of Postfix, by the program's name in the log. campaign: PowerMTA's
-- job, or a header. tls: as Postfix logs it (`encrypt/(requiretls)`). level: the one in force (`encrypt`).
CREATE TABLE routes (
    id INTEGER PRIMARY KEY, vmta TEXT NOT NULL COLLATE NOCASE, pool TEXT NOT NULL COLLATE NOCASE,
    ip TEXT NOT NULL COLLATE NOCASE, instance TEXT NOT NULL COLLATE NOCASE, transport TEXT NOT NULL COLLATE NOCASE,
    campaign TEXT NOT NULL COLLATE NOCASE, tls TEXT NOT NULL COLLATE NOCASE, level TEXT NOT NULL COLLATE NOCASE);
CREATE UNIQUE INDEX routes_names ON routes (
    vmta COLLATE BINARY, pool COLLATE BINARY, ip COLLATE BINARY, instance COLLATE BINARY, transport COLLATE BINARY,
    campaign COLLATE BINARY, tls COLLATE BINARY);
-- Number 0 is the usual one, which the index of routes leaves out: the instance `postfix`, and nothing else.
INSERT INTO routes VALUES (0, '', '', '', 'postfix', '', '', '', '');
ALTER TABLE deliveries ADD COLUMN route INTEGER;

CREATE VIEW readable AS SELECT
    strftime('%Y-%m-%d %H:%M:%S', last_seen / 1000, 'unixepoch') AS last_seen, status, attempts, sender, recipient,
    original_recipient, queue_id, message_id, client_id, relay, dsn, reason,
    coalesce(logged_category, category) AS category, severity, nullif(about, '') AS about, rule, reply,
    nullif(tls, '') AS tls,
    CASE WHEN vmta <> '' THEN 'vmta/' || vmta WHEN pool <> '' THEN 'pool/' || pool WHEN ip <> '' THEN 'ip/' || ip
    WHEN transport <> '' THEN 'transport/' || transport WHEN instance <> '' THEN 'instance/' || instance
    WHEN campaign <> '' THEN 'campaign/' || campaign END AS source, nullif(campaign, '') AS campaign,
    strftime('%Y-%m-%d %H:%M:%S', first_seen / 1000, 'unixepoch') AS first_seen, deliveries.id AS id
    FROM deliveries LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route;

-- Sent deliveries by the TLS level in force, where it was logged. dimension: all, recipient-domain, provider.
CREATE TABLE tls_levels (
    step TEXT NOT NULL, dimension TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL,
    deliveries INTEGER NOT NULL, PRIMARY KEY (step, dimension, at, name, level)) WITHOUT ROWID;
