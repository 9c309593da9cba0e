-- Turns. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

-- add_interaction --
INSERT INTO interaction
  (tenant, user_id, id, session, run, agent, input, output, labels, create_time, speaker, origin, source)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

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

-- session_version --
-- Text, for the driver knows no transaction numbers.
SELECT version::text FROM session_version WHERE tenant = $1 AND user_id = $2 AND session = $3

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
