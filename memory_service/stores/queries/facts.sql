-- Facts. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

-- add_fact --
-- Nothing if the key is taken.
INSERT INTO fact (tenant, user_id, id, key, value, category, importance, origin, run, source, step, interaction, quote,
  valid_from, valid_to, confirm_time, change, reason, version, latest, contested, create_time, update_time, etag)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT ON CONSTRAINT fact_key DO NOTHING RETURNING *

-- change_fact --
UPDATE fact SET value = $5, category = $6, importance = $7, origin = $8, run = $9, source = $10, step = $11,
  interaction = $12, quote = $13, valid_from = $14, valid_to = $15, confirm_time = $16, change = $17, reason = $18,
  version = $19, latest = $20, contested = $21, create_time = $22, update_time = $23, etag = $24
WHERE tenant = $1 AND user_id = $2 AND id = $3 AND key = $4 RETURNING *

-- lock_fact --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND key = $3 FOR UPDATE

-- add_version --
INSERT INTO fact_version (tenant, user_id, fact, number, key, value, category, importance, origin, run, source, step,
  interaction, quote, valid_from, valid_to, confirm_time, change, reason, create_time, update_time, etag,
  record_time, replace_time, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
  $25)

-- said_against --
-- Whether the very same was said against a fact since $7.
SELECT EXISTS (
  SELECT FROM fact_version WHERE tenant = $1 AND user_id = $2 AND fact = $3 AND change = 'CONTESTED'
    AND value = $4 AND origin = $5 AND source = $6 AND record_time >= $7
)

-- get_fact --
-- $2 is null for a caller that may act for every user of the tenant.
SELECT * FROM fact WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND id = $3

-- list_facts --
-- Those that were true at $7, as memory knew them at $8; null: now. What was known then of the end of an older version is
-- that the next one had been told, with the time from which that was true. Of two that were true at once, the newer one.
-- Versions are looked up fact by fact: a page costs the same however many facts there are.
WITH page AS (
  SELECT best.*, octet_length(best.key) + octet_length(best.value) + octet_length(best.quote) AS size
  FROM fact, coalesce($8::timestamptz, 'infinity') AS known_at, LATERAL (
    SELECT * FROM (
      SELECT fact.id, fact.tenant, fact.user_id, fact.key, fact.value, fact.category, fact.importance, fact.origin,
        fact.run, fact.create_time, fact.update_time, fact.etag, fact.source, fact.step, fact.interaction, fact.quote,
        fact.valid_from, fact.valid_to, fact.confirm_time, fact.change, fact.reason, fact.version, fact.latest,
        fact.contested
      WHERE fact.update_time <= known_at
      UNION ALL
      SELECT fact, tenant, user_id, key, value, category, importance, origin, run, create_time, update_time, etag,
        source, step, interaction, quote, valid_from,
        least(valid_to, CASE WHEN replace_time <= known_at THEN ended_at END),
        confirm_time, change, reason, number, number, false
      FROM fact_version AS old WHERE tenant = $1 AND user_id = $2 AND old.fact = fact.id AND change <> 'CONTESTED'
        AND record_time <= known_at AND (replace_time > known_at OR ended_at > $7)
    ) AS known
    WHERE coalesce(valid_from <= $7, true) AND coalesce(valid_to > $7, true) ORDER BY version DESC LIMIT 1
  ) AS best
  WHERE fact.tenant = $1 AND fact.user_id = $2 AND fact.key > $4 AND ($3::text IS NULL OR best.category = $3)
  ORDER BY fact.key LIMIT $5
), running AS (
  SELECT *, sum(size) OVER (ORDER BY key) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $6 ORDER BY key

-- list_versions --
-- Of one fact that was found before, the newest first; the present one is not among them.
WITH page AS (
  SELECT *, octet_length(key) + octet_length(value) + octet_length(quote) AS size FROM fact_version
  WHERE tenant = $1 AND user_id = $2 AND fact = $3 AND number < $4 AND ($5::boolean IS NULL OR (change = 'CONTESTED') = $5)
  ORDER BY number DESC LIMIT $6
), running AS (
  SELECT *, sum(size) OVER (ORDER BY number DESC) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $7 ORDER BY number DESC

-- load_facts --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND id = ANY ($3::text[])
  AND coalesce(valid_from <= now(), true) AND coalesce(valid_to > now(), true)

-- standing_facts --
-- Who the user is and how they like things, in their own words: what agents, tools and documents wrote is not among them.
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND category IN ('PROFILE', 'PREFERENCE')
  AND origin IN ('CLIENT', 'EXTRACTION')
  AND coalesce(valid_from <= now(), true) AND coalesce(valid_to > now(), true)
ORDER BY importance DESC, update_time DESC, id DESC LIMIT $3

-- current_facts --
-- For the index: whoever owns them.
SELECT * FROM fact WHERE id = ANY ($1::text[])

-- delete_fact --
-- Its versions go with it.
DELETE FROM fact WHERE tenant = $1 AND user_id = $2 AND id = $3
