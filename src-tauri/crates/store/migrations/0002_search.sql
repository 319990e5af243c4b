-- Full-text search over what was said and thought. The index holds no text of its own; triggers
-- keep it equal to the parts.

-- The text with its letters set apart, only where a script writes no spaces between words: then
-- each such letter is a token, and a phrase of them finds any substring, of two letters as well,
-- which a trigram index does not. NULL where the text itself is what is indexed.
ALTER TABLE parts ADD COLUMN segmented TEXT;

CREATE VIEW searchable (key, text) AS
    SELECT key, coalesce(segmented, text) FROM parts WHERE kind IN ('text', 'thinking');

CREATE VIRTUAL TABLE search USING fts5 (
    text,
    content = 'searchable',
    content_rowid = 'key',
    tokenize = 'unicode61 remove_diacritics 2',
    prefix = '2 3'
);

-- A deleted text leaves no words behind in the index.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
INSERT INTO search (search) VALUES ('rebuild');

CREATE TRIGGER parts_search_insert AFTER INSERT ON parts
WHEN new.kind IN ('text', 'thinking')
BEGIN
    INSERT INTO search (rowid, text) VALUES (new.key, coalesce(new.segmented, new.text));
END;

CREATE TRIGGER parts_search_delete AFTER DELETE ON parts
WHEN old.kind IN ('text', 'thinking')
BEGIN
    INSERT INTO search (search, rowid, text)
    VALUES ('delete', old.key, coalesce(old.segmented, old.text));
END;

CREATE TRIGGER parts_search_update AFTER UPDATE OF key, kind, text, segmented ON parts
BEGIN
    INSERT INTO search (search, rowid, text)
    SELECT 'delete', old.key, coalesce(old.segmented, old.text)
    WHERE old.kind IN ('text', 'thinking');
    INSERT INTO search (rowid, text)
    SELECT new.key, coalesce(new.segmented, new.text)
    WHERE new.kind IN ('text', 'thinking');
END;
