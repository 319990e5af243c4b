-- What a person set, the addresses they added, and the models last seen there. No secret is here.

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
    id TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cached_models (
    provider TEXT PRIMARY KEY,
    json TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
