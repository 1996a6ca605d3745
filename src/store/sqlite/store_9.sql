-- What people did by `carom serve`: who, when (milliseconds since 1970), what, and what there was before and after, as JSON.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, what TEXT NOT NULL,
    before TEXT, after TEXT);
CREATE INDEX audit_time ON audit (at_ms);
