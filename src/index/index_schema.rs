//! The tables of `index.db`. They can be read with the `sqlite3` shell; the view `readable` shows
//! times in a readable form.
//!
//! Not here: how migrations are applied (`crate::store`). Invariant: a released migration never
//! changes its tables; a new one is appended.

/// One entry for each version: a file of version N has had the first N.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("index_1.sql"),
    include_str!("index_2.sql"),
    include_str!("index_3.sql"),
    include_str!("index_4.sql"),
    include_str!("index_5.sql"),
    include_str!("index_6.sql"),
];

/// An empty file gets it with its tables, as it is small: the usual route is left out.
pub(crate) const INDEX_OF_ROUTES: &str =
    "CREATE INDEX IF NOT EXISTS deliveries_route ON deliveries (route, last_seen) WHERE route > 0";

/// Dense indexes are built after the first import: sorting everything once is many times faster
/// than inserting row by row.
pub(crate) const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS deliveries_recipient ON deliveries (recipient);
    CREATE INDEX IF NOT EXISTS deliveries_queue ON deliveries (queue_id);
    CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message_id);
    CREATE INDEX IF NOT EXISTS deliveries_client ON deliveries (client_id, last_seen) WHERE client_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS deliveries_status ON deliveries (status, last_seen) WHERE status <> 'sent';
    CREATE INDEX IF NOT EXISTS deliveries_meaning ON deliveries (meaning, last_seen) WHERE meaning IS NOT NULL;
    CREATE INDEX IF NOT EXISTS deliveries_time ON deliveries (last_seen);
";
