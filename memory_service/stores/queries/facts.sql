-- Facts. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

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
