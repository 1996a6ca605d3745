-- Each kind of event as a view. Dates are those of the events; FINAL leaves each id once.
CREATE OR REPLACE VIEW carom_deliveries AS
SELECT time, host, id, arrived, status, sender_domain, recipient, recipient_domain, reason,
    JSONExtractString(data, 'queue_id') AS queue_id,
    JSONExtractString(data, 'message_id') AS message_id,
    JSONExtractString(data, 'client_id') AS client_id,
    JSONExtractString(data, 'sender') AS sender,
    JSONExtractUInt(data, 'attempts') AS attempts,
    parseDateTime64BestEffortOrNull(JSONExtractString(data, 'first_seen'), 3, 'UTC') AS first_seen,
    JSONExtractString(data, 'relay') AS relay,
    JSONExtractString(data, 'dsn') AS dsn,
    JSONExtractString(data, 'reply') AS reply,
    JSONExtractString(data, 'category') AS category,
    JSONExtractString(data, 'severity') AS severity,
    JSONExtractString(data, 'tls') AS tls,
    JSONExtract(data, 'sources', 'Array(String)') AS sources,
    JSONExtractString(data, 'whose') AS whose,
    JSONExtract(data, 'delay', 'Nullable(Float64)') AS delay,
    JSONExtract(data, 'size', 'Nullable(UInt64)') AS size
FROM carom_events FINAL WHERE kind = 'delivery';

-- The newest state of each delivery: the first half of an id is the delivery, the second its state. A state of the same time,
-- such as another reason, is newer if it arrived later.
CREATE OR REPLACE VIEW carom_latest_deliveries AS
SELECT newest.host AS host, substring(newest.id, 1, 16) AS delivery,
    argMax(newest.status, (newest.time, newest.attempts, newest.arrived)) AS status,
    argMax(newest.recipient, (newest.time, newest.attempts, newest.arrived)) AS recipient,
    argMax(newest.recipient_domain, (newest.time, newest.attempts, newest.arrived)) AS recipient_domain,
    argMax(newest.sender_domain, (newest.time, newest.attempts, newest.arrived)) AS sender_domain,
    argMax(newest.reason, (newest.time, newest.attempts, newest.arrived)) AS reason,
    argMax(newest.sources, (newest.time, newest.attempts, newest.arrived)) AS sources,
    max(newest.attempts) AS attempts, max(newest.time) AS last_seen
FROM carom_deliveries AS newest GROUP BY host, delivery;

CREATE OR REPLACE VIEW carom_deliveries_by_hour AS
SELECT toStartOfHour(last_seen) AS hour, recipient_domain, status, reason, count() AS deliveries
FROM carom_latest_deliveries GROUP BY hour, recipient_domain, status, reason;

CREATE OR REPLACE VIEW carom_verdicts AS
SELECT time, host, id, recipient, sender_domain,
    JSONExtractString(data, 'id') AS message,
    JSONExtractString(data, 'policy') AS policy,
    if(JSONType(data, 'verdict') = 'String', JSONExtractString(data, 'verdict'), JSONExtractKeys(data, 'verdict')[1]) AS verdict,
    JSONExtractString(data, 'unproven') AS unproven,
    JSONExtract(data, 'counted', 'Map(String, UInt64)') AS counted
FROM carom_events FINAL WHERE kind = 'verdict';

CREATE OR REPLACE VIEW carom_reports AS
SELECT time, host, id, recipient, JSONExtractString(data, 'id') AS message, JSONExtractString(data, 'policy') AS policy,
    JSONExtract(data, 'counted', 'Map(String, UInt64)') AS counted
FROM carom_events FINAL WHERE kind = 'report';

CREATE OR REPLACE VIEW carom_steps AS
SELECT time, host, id, recipient, JSONExtractString(data, 'id') AS message, JSONExtractUInt(data, 'step') AS step,
    JSONExtractString(data, 'action') AS action, JSONExtractString(data, 'result') AS result, JSONExtractString(data, 'note') AS note
FROM carom_events FINAL WHERE kind = 'step';

CREATE OR REPLACE VIEW carom_suppressions AS
SELECT time, host, id, recipient AS address, sender_domain, reason, JSONExtractString(data, 'change') AS change,
    JSONExtractString(data, 'source') AS source, JSONExtractString(data, 'rule') AS rule
FROM carom_events FINAL WHERE kind = 'suppression';
