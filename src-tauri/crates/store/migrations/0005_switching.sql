-- Answers that another model than the chosen one gave, and conversations that do not fit a model.

-- The models that were asked in vain before the one that answered, as JSON; NULL for none.
ALTER TABLE messages ADD COLUMN attempts TEXT;

-- The models to ask when the conversation's own does not answer, as JSON; NULL: as the settings say.
ALTER TABLE conversations ADD COLUMN failover TEXT;

-- What stands for the beginning of a branch, up to and with a message, where the whole does not fit
-- a model. The messages stay as they are.
CREATE TABLE summaries (
    message INTEGER PRIMARY KEY REFERENCES messages (key) ON DELETE CASCADE,
    text TEXT NOT NULL,
    -- The model that made it.
    model TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
