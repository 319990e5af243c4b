-- What left the machine and what it cost, and what may not leave it.

-- Every outbound call, after its end. It names no message's words and outlives what it was for.
CREATE TABLE ledger (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    host TEXT NOT NULL,
    -- JSON.
    runs_at TEXT NOT NULL,
    purpose TEXT NOT NULL,
    provider TEXT,
    model TEXT,
    conversation BLOB,
    message BLOB,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    cache_write_tokens INTEGER,
    output_tokens INTEGER,
    thinking_tokens INTEGER,
    reported_cost_usd REAL,
    -- NULL: no usage is known at all.
    usage_estimated INTEGER,
    bytes_sent INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    -- NULL: nobody knows, or nothing was to be paid for.
    cost_usd REAL,
    cost_estimated INTEGER,
    price_as_of TEXT,
    -- JSON, and its first word once more, to be counted by.
    outcome TEXT NOT NULL,
    ended TEXT NOT NULL
) STRICT;

CREATE INDEX ledger_by_time ON ledger (at);
CREATE INDEX ledger_by_conversation ON ledger (conversation) WHERE conversation IS NOT NULL;

ALTER TABLE conversations ADD COLUMN local_only INTEGER NOT NULL DEFAULT 0;

-- What the provider said that the answer cost, in US dollars; and what we say, as JSON.
ALTER TABLE messages ADD COLUMN reported_cost_usd REAL;
ALTER TABLE messages ADD COLUMN cost TEXT;
