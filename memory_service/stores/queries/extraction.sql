-- What is found in turns. Every query names the tenant and the user: $1 and $2.

-- must_be_looked_through --
-- A turn of a tenant that wants it; decided where the turn is stored, so that other tenants' turns leave no work behind.
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT $1, $2, 'extraction', 'interaction', $3, $4
WHERE EXISTS (SELECT FROM memory_settings WHERE tenant = $1 AND extraction <> 'OFF')

-- get_turn --
SELECT * FROM interaction WHERE tenant = $1 AND user_id = $2 AND id = $3

-- lock_turn --
-- Two who look through the same turn record it one after the other, and nothing is recorded of one that is gone.
SELECT true FROM interaction WHERE tenant = $1 AND user_id = $2 AND id = $3 FOR NO KEY UPDATE

-- earlier_turns --
SELECT id, tenant, user_id, session, run, agent, left(input, $7) AS input, left(output, $7) AS output, labels,
  create_time, speaker, origin, source FROM interaction
WHERE tenant = $1 AND user_id = $2 AND session = $3 AND (create_time, id) < ($4, $5)
ORDER BY create_time DESC, id DESC LIMIT $6

-- staged_inputs --
-- What the user said before in the session that matches $6, a regular expression.
SELECT left(input, $8) AS input FROM interaction
WHERE tenant = $1 AND user_id = $2 AND session = $3 AND (create_time, id) < ($4, $5) AND origin = 'USER'
  AND input ~* $6
ORDER BY create_time DESC, id DESC LIMIT $7

-- known_facts --
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 ORDER BY importance DESC, update_time DESC, id DESC LIMIT $3

-- fact_told_at --
-- When the present value of a fact was said: in its turn, or when it was put.
SELECT coalesce(turn.create_time, fact.update_time) FROM fact LEFT JOIN interaction AS turn
  ON turn.tenant = fact.tenant AND turn.user_id = fact.user_id AND turn.id = fact.interaction
WHERE fact.tenant = $1 AND fact.user_id = $2 AND fact.key = $3

-- get_extraction --
SELECT * FROM extraction WHERE tenant = $1 AND user_id = $2 AND interaction = $3

-- put_extraction --
INSERT INTO extraction (tenant, user_id, interaction, extractor, dry_run, candidates, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (interaction) DO UPDATE SET
  extractor = excluded.extractor, dry_run = excluded.dry_run, candidates = excluded.candidates,
  create_time = excluded.create_time

-- list_extractions --
WITH page AS (
  SELECT *, octet_length(candidates::text) AS size FROM extraction
  WHERE tenant = $1 AND user_id = $2 AND candidates <> '[]'
    AND ($3::timestamptz IS NULL OR (create_time, interaction) < ($3, $4))
  ORDER BY create_time DESC, interaction DESC LIMIT $5
), running AS (
  SELECT *, sum(size) OVER (ORDER BY create_time DESC, interaction DESC) AS total, count(*) OVER () AS found FROM page
)
SELECT * FROM running WHERE total - size <= $6 ORDER BY create_time DESC, interaction DESC
