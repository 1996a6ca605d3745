-- The table that `[[events]] kind = "clickhouse"` writes to. Run it once, in the database of the config:
--   clickhouse-client --database mail --queries-file 1-tables.sql --queries-file 2-views.sql
--
-- carom sends each batch with a token. ClickHouse remembers the tokens of the last thousand batches and stores a batch that
-- comes again only once. What comes again later has the same ids, and ReplacingMergeTree merges it away; the views read FINAL.
CREATE TABLE IF NOT EXISTS carom_events
(
    schema UInt8,
    kind LowCardinality(String),
    id String,
    time DateTime64(3, 'UTC'),
    host LowCardinality(String),
    data String CODEC(ZSTD(3)),
    arrived DateTime64(6, 'UTC') DEFAULT now64(6),
    status LowCardinality(String) MATERIALIZED JSONExtractString(data, 'status'),
    recipient String MATERIALIZED lower(JSONExtractString(data, if(kind = 'suppression', 'address', 'recipient'))),
    recipient_domain LowCardinality(String) MATERIALIZED extract(recipient, '@([^@]+)$'),
    sender_domain LowCardinality(String) MATERIALIZED
        if(kind = 'suppression', JSONExtractString(data, 'sender_domain'), extract(lower(JSONExtractString(data, 'sender')), '@([^@]+)$')),
    reason LowCardinality(String) MATERIALIZED JSONExtractString(data, 'reason'),
    INDEX by_recipient recipient TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (kind, toDate(time), id)
TTL toDateTime(time) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;
-- In a table of an earlier version.
ALTER TABLE carom_events ADD COLUMN IF NOT EXISTS arrived DateTime64(6, 'UTC') DEFAULT now64(6) AFTER data;
