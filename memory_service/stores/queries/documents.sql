-- Documents and their passages. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

-- lock_uri --
-- Two versions of one document are stored one after the other.
SELECT pg_advisory_xact_lock(hashtextextended($1 || E'\n' || $2 || E'\n' || $3, 0))

-- find_uri --
SELECT * FROM document WHERE tenant = $1 AND user_id = $2 AND uri = $3

-- add_document --
INSERT INTO document
  (tenant, user_id, id, title, uri, media_type, labels, sha256, characters, passages, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- add_passage --
INSERT INTO document_passage (tenant, user_id, id, document, number, heading, body, starts, ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- get_document --
-- $2 is null for a caller that may act for every user of the tenant.
SELECT * FROM document WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND id = $3

-- list_documents --
WITH page AS (
  SELECT *, octet_length(title) + octet_length(uri) + octet_length(labels::text) AS size FROM document
  WHERE tenant = $1 AND user_id = $2 AND ($3::timestamptz IS NULL OR (create_time, id) < ($3, $4))
  ORDER BY create_time DESC, id DESC LIMIT $5
), running AS (
  SELECT *, sum(size) OVER (ORDER BY create_time DESC, id DESC) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $6 ORDER BY create_time DESC, id DESC

-- load_passages --
SELECT piece.*, title, uri FROM document_passage AS piece JOIN document ON document.id = piece.document
WHERE piece.tenant = $1 AND piece.user_id = $2 AND piece.id = ANY ($3::text[])

-- current_passages --
-- For the index: whoever owns them.
SELECT piece.*, title, uri FROM document_passage AS piece JOIN document ON document.id = piece.document
WHERE piece.id = ANY ($1::text[])

-- follow_document --
-- What the index must forget: written before the passages are gone.
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT tenant, user_id, 'vectors', 'document', id, document FROM document_passage
WHERE tenant = $1 AND user_id = $2 AND document = $3

-- delete_document_words --
DELETE FROM passage WHERE tenant = $1 AND user_id = $2 AND kind = 'document' AND session = $3

-- delete_document --
-- Its passages go with it.
DELETE FROM document WHERE tenant = $1 AND user_id = $2 AND id = $3
