-- Export, erasure, purge and retention. Every query names the tenant: $1, and the user: $2, unless it says otherwise.

-- personal_tables --
-- Every table whose rows belong to somebody, the outbox first: erasing waits for what works on this user's changes.
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = current_schema() AND relkind IN ('r', 'p') AND 2 = (
  SELECT count(*) FROM pg_attribute WHERE attrelid = pg_class.oid AND attname IN ('tenant', 'user_id') AND NOT attisdropped
)
ORDER BY relname <> 'outbox', relname

-- sessions_of --
SELECT DISTINCT session FROM interaction WHERE tenant = $1 AND user_id = $2 AND session <> ''

-- erase_requests --
DELETE FROM idempotency WHERE tenant = $1 AND starts_with(request_id, $2 || E'\n')

-- count_requests --
SELECT count(*) FROM idempotency WHERE tenant = $1 AND starts_with(request_id, $2 || E'\n')

-- export_facts --
-- As they are now, whether they are true or not.
SELECT * FROM fact WHERE tenant = $1 AND user_id = $2 AND id > $3 ORDER BY id LIMIT $4

-- export_passages --
SELECT piece.*, title, uri FROM document_passage AS piece JOIN document ON document.id = piece.document
WHERE piece.tenant = $1 AND piece.user_id = $2 AND piece.document = $3 AND number > $4 ORDER BY number LIMIT $5

-- turns_from --
-- $2 is null for all users of the tenant.
SELECT id FROM interaction WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND source = $3
ORDER BY id LIMIT $4 FOR UPDATE

-- delete_turns --
-- Whoever owns them. What the index and the cache must forget is told in the same statement; reports go with their turns.
WITH gone AS (
  DELETE FROM interaction WHERE tenant = $1 AND id = ANY ($2::text[]) RETURNING tenant, user_id, id, session
), words AS (
  DELETE FROM passage USING gone WHERE passage.tenant = gone.tenant AND passage.user_id = gone.user_id
    AND passage.kind = 'interaction' AND passage.source = gone.id
)
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT gone.tenant, gone.user_id, target, 'interaction', gone.id, gone.session
FROM gone, unnest(array_append($3::text[], 'recent')) AS target WHERE target <> 'recent' OR gone.session <> ''

-- facts_from --
-- Facts that a source or one of these turns is behind, now or before. $2 is null for all users.
SELECT * FROM fact WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND (
  source = $3 OR interaction = ANY ($4::text[])
  OR EXISTS (SELECT FROM fact_version WHERE fact = fact.id AND (source = $3 OR interaction = ANY ($4::text[])))
)
ORDER BY id LIMIT $5 FOR UPDATE

-- purge_versions --
DELETE FROM fact_version WHERE fact = $1 AND (source = $2 OR interaction = ANY ($3::text[]))

-- latest_version --
SELECT * FROM fact_version WHERE fact = $1 AND change <> 'CONTESTED' ORDER BY number DESC LIMIT 1

-- delete_version --
DELETE FROM fact_version WHERE fact = $1 AND number = $2

-- is_contested --
SELECT EXISTS (SELECT FROM fact_version WHERE fact = $1 AND change = 'CONTESTED' AND number > $2)

-- documents_from --
SELECT * FROM document WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2) AND uri = $3
ORDER BY id LIMIT $4 FOR UPDATE

-- tenants_with_retention --
-- Names no tenant: for the mesh's own work.
SELECT * FROM memory_settings
WHERE interaction_retention_days > 0 OR fact_retention_days > 0 OR document_retention_days > 0 ORDER BY tenant

-- old_turns --
-- Of all users of the tenant.
SELECT id FROM interaction WHERE tenant = $1 AND create_time < $2 ORDER BY create_time LIMIT $3
FOR UPDATE SKIP LOCKED

-- old_facts --
-- Of all users of the tenant.
SELECT * FROM fact WHERE tenant = $1 AND greatest(update_time, confirm_time) < $2
ORDER BY greatest(update_time, confirm_time) LIMIT $3 FOR UPDATE SKIP LOCKED

-- old_documents --
-- Of all users of the tenant.
SELECT * FROM document WHERE tenant = $1 AND create_time < $2 ORDER BY create_time LIMIT $3 FOR UPDATE SKIP LOCKED

-- take_retention --
SELECT pg_try_advisory_xact_lock(hashtext('agentmesh:memory:retention'))
