-- The words that things are found by. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

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
