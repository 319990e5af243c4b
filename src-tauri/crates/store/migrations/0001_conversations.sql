-- Conversations as trees of messages. Every row has an integer key, by which rows refer to each
-- other, and what leaves the store has a UUID besides.

CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL,
    -- How many messages were deleted for good, by the person's wish, since the beginning: tells a
    -- snapshot that shrank for a reason from one that lost something.
    deleted_messages INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO identity (one, id) VALUES (1, randomblob(16));

CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    title_is_own INTEGER NOT NULL DEFAULT 0,
    model TEXT,
    -- The last message of the branch that is shown, by key.
    leaf INTEGER,
    pinned INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE INDEX conversations_listed ON conversations (pinned DESC, updated_at DESC, key DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX conversations_trashed ON conversations (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    -- No cascade here: a chain of ten thousand would go deeper than triggers may nest.
    parent INTEGER REFERENCES messages (key),
    -- How many messages stand before it on its branch.
    depth INTEGER NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The running instance that writes it, while it streams.
    owner BLOB,
    model TEXT,
    served_by TEXT,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    cache_write_tokens INTEGER,
    output_tokens INTEGER,
    thinking_tokens INTEGER,
    -- NULL: no usage is known at all.
    usage_estimated INTEGER,
    stop_reason TEXT,
    error TEXT,
    created_at INTEGER NOT NULL,
    first_token_at INTEGER,
    finished_at INTEGER
) STRICT;

CREATE INDEX messages_by_parent ON messages (parent);
CREATE INDEX messages_by_conversation ON messages (conversation, parent);
CREATE INDEX messages_streaming ON messages (owner) WHERE state = 'streaming';

CREATE TABLE parts (
    key INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- The part's main text, when its kind has one; all else of it as JSON, when there is more.
    text TEXT,
    json TEXT,
    UNIQUE (message, ordinal)
) STRICT;

-- What a growing message gained since its parts were stored: rows are added and never rewritten,
-- so that a long answer costs no more per checkpoint than a short one.
CREATE TABLE draft_chunks (
    key INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX draft_chunks_by_message ON draft_chunks (message);

-- The place of attached files: the bytes live beside the database, named by their SHA-256.
CREATE TABLE attachments (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    content_hash BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX attachments_by_content ON attachments (content_hash);

-- Which parts show an attachment: one that none shows any more can go.
CREATE TABLE part_attachments (
    part INTEGER NOT NULL REFERENCES parts (key) ON DELETE CASCADE,
    attachment INTEGER NOT NULL REFERENCES attachments (key),
    PRIMARY KEY (part, attachment)
) STRICT, WITHOUT ROWID;

CREATE INDEX part_attachments_by_attachment ON part_attachments (attachment);
