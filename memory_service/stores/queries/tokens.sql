-- What each token of a turn means. Every query of a caller names the tenant and the user: $1 and $2.

-- put_tokens --
-- For the index: whoever owns them. A turn that was deleted meanwhile gets none.
INSERT INTO token_vectors (source, tenant, user_id, tokens)
SELECT id, tenant, user_id, new.tokens FROM unnest($1::text[], $2::bytea[]) AS new (source, tokens)
JOIN interaction ON id = new.source ORDER BY id
ON CONFLICT (source) DO UPDATE SET tokens = excluded.tokens

-- load_tokens --
SELECT source, tokens FROM token_vectors WHERE tenant = $1 AND user_id = $2 AND source = ANY ($3::text[])
