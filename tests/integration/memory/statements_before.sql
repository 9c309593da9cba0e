-- Every query of a caller names the tenant and the user. $1 is the tenant and $2 the user wherever both are there.

-- add_interaction --
INSERT INTO interaction (tenant, user_id, id, session, run, agent, input, output, labels, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- list_interactions --
-- One session's turns, or all of the user's; read newest first until the text is enough for one answer.
WITH page AS (
  SELECT *, octet_length(input) + octet_length(output) + octet_length(labels::text) AS size FROM interaction
  WHERE tenant = $1 AND user_id = $2 AND session = $3
    AND ($4::timestamptz IS NULL OR (create_time, id) < ($4, $5))
  ORDER BY create_time DESC, id DESC LIMIT $6
), running AS (
  SELECT *, sum(size) OVER (ORDER BY create_time DESC, id DESC) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $7 ORDER BY create_time DESC, id DESC

-- list_all_interactions --
WITH page AS (
  SELECT *, octet_length(input) + octet_length(output) + octet_length(labels::text) AS size FROM interaction
  WHERE tenant = $1 AND user_id = $2 AND ($3::timestamptz IS NULL OR (create_time, id) < ($3, $4))
  ORDER BY create_time DESC, id DESC LIMIT $5
), running AS (
  SELECT *, sum(size) OVER (ORDER BY create_time DESC, id DESC) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $6 ORDER BY create_time DESC, id DESC

-- load_interactions --
-- In the order asked for, until the text is enough for one answer; what is larger than $4 is passed over.
WITH wanted AS (
  SELECT interaction.*, place, octet_length(input) + octet_length(output) + octet_length(labels::text) AS size
  FROM unnest($3::text[]) WITH ORDINALITY AS asked (id, place) JOIN interaction USING (id)
  WHERE tenant = $1 AND user_id = $2 AND octet_length(input) + octet_length(output) <= $4
), running AS (
  SELECT *, sum(size) OVER (ORDER BY place) AS total FROM wanted
)
SELECT * FROM running WHERE total - size <= $5 ORDER BY place

-- current_interactions --
-- For the index: whoever owns them.
SELECT * FROM interaction WHERE id = ANY ($1::text[])

-- lock_fact --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND key = $3 FOR UPDATE

-- put_fact --
-- The id, the first time and, if the value is the same, the time of its last change are the old fact's.
INSERT INTO fact AS old
  (tenant, user_id, id, key, value, category, importance, origin, run, create_time, update_time, etag)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT ON CONSTRAINT fact_key DO UPDATE SET
  value = excluded.value, category = excluded.category, importance = excluded.importance, origin = excluded.origin,
  run = excluded.run, etag = excluded.etag,
  update_time = CASE WHEN old.value = excluded.value THEN old.update_time ELSE excluded.update_time END
RETURNING *

-- get_fact --
-- $2 is null for a caller that may act for every user of the tenant.
SELECT * FROM fact WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND id = $3

-- list_facts --
WITH page AS (
  SELECT *, octet_length(key) + octet_length(value) AS size FROM fact
  WHERE tenant = $1 AND user_id = $2 AND ($3::text IS NULL OR category = $3) AND key > $4
  ORDER BY key LIMIT $5
), running AS (
  SELECT *, sum(size) OVER (ORDER BY key) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $6 ORDER BY key

-- load_facts --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND id = ANY ($3::text[])

-- standing_facts --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND category IN ('PROFILE', 'PREFERENCE')
ORDER BY importance DESC, update_time DESC, id DESC LIMIT $3

-- current_facts --
-- For the index: whoever owns them.
SELECT * FROM fact WHERE id = ANY ($1::text[])

-- delete_fact --
DELETE FROM fact WHERE tenant = $1 AND user_id = $2 AND id = $3

-- put_words --
INSERT INTO passage (tenant, user_id, kind, source, session, words)
VALUES ($1, $2, $3, $4, $5, to_tsvector('english', $6))
ON CONFLICT (tenant, user_id, kind, source) DO UPDATE SET words = excluded.words

-- delete_words --
DELETE FROM passage WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND source = $4

-- search_words --
-- The share of the question's words that a passage has, each weighed by how rare it is among this user's passages and
-- by how much of the passage it is. `ts_rank` alone knows no rarity: with it, a common word is worth a name.
WITH terms AS MATERIALIZED (
  -- A long question is cut to its longest words: they are the rarest, and every word costs a look at every passage.
  SELECT ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS term
  FROM unnest(to_tsvector('english', $5)) ORDER BY length(lexeme) DESC, lexeme LIMIT 24
), hits AS MATERIALIZED (
  SELECT source, term, ts_rank('{1,1,1,1}', words, term) / (0.7 + 0.3 * ln(1 + length(words))) AS rank
  FROM passage JOIN terms ON words @@ term
  WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND ($4 = '' OR session = $4)
), everything AS (
  SELECT count(*) AS size FROM passage
  WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND ($4 = '' OR session = $4)
), weights AS (
  SELECT term, ln(1 + ((SELECT size FROM everything) - count(source) + 0.5) / (count(source) + 0.5)) AS weight
  FROM terms LEFT JOIN hits USING (term) GROUP BY term
)
SELECT source, (sum(weight * rank) / (SELECT sum(weight) FROM weights))::float8 AS score
FROM hits JOIN weights USING (term) GROUP BY source ORDER BY score DESC, source DESC LIMIT $6

-- add_changes --
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT $1, $2, target, $4, $5, $6 FROM unnest($3::text[]) AS target

-- claim_changes --
-- Locked until the work is done: another worker takes others, and the locks of a killed worker go with its connection.
SELECT * FROM outbox WHERE target = $1 AND due <= now() ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED

-- forget_changes --
DELETE FROM outbox WHERE id = ANY ($1::bigint[])

-- postpone_changes --
-- Twice as long every time, up to 15 seconds; scattered, so that one change that can never be done holds up no others.
UPDATE outbox SET attempts = attempts + 1, due = clock_timestamp() + interval '1 second'
  * least(15, 0.25 * power(2, least(attempts, 10))) * (0.5 + random())
WHERE id = ANY ($1::bigint[])

-- lock_index --
SELECT pg_advisory_xact_lock(hashtext('agentmesh:memory:vector_index'))

-- read_index --
SELECT name FROM vector_index

-- name_index --
UPDATE vector_index SET name = $1

-- index_everything --
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT tenant, user_id, 'vectors', kind, source, session FROM passage

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
