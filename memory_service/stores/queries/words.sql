-- The words that things are found by. Every query of a caller names the tenant and
-- the user: $1 and $2.

-- put_words --
INSERT INTO passage (tenant, user_id, kind, source, session, place, head, asks, terms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant, user_id, kind, source) DO UPDATE SET
  words = '', place = excluded.place, head = excluded.head, asks = excluded.asks, terms = excluded.terms

-- lock_bare_words --
SELECT true FROM passage WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND source = $4 AND terms IS NULL FOR UPDATE

-- delete_words --
DELETE FROM passage WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND source = $4

-- new_words --
-- Those written at or after the transaction $4; see memory_service.stores.mirror. What has no terms yet is found
-- by its meaning, and later by its words.
WITH fresh AS MATERIALIZED (
  SELECT source, session, place, head, asks, coalesce(terms, '') AS terms FROM passage
  WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND written >= $4::bigint::text::xid8
)
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
  coalesce((
    SELECT mark::text FROM deletion WHERE relation = 'passage' AND owner = owner_hash($1, $2, $3)
  ), '') AS mark,
  count(*) AS count, array_agg(source) AS sources, array_agg(session) AS sessions, array_agg(place) AS places,
  array_agg(head) AS heads, array_agg(asks) AS asks, array_agg(terms) AS terms
FROM fresh
