-- Which vector indexes there are, and what each has yet to hear of. For the mesh's own work, whoever owns the rows.

-- lock_indexes --
-- Nobody writes a change while this is held. If somebody's write takes long, others do not wait behind us: not now.
SET LOCAL lock_timeout = '500ms';
SELECT pg_advisory_xact_lock(hashtext('agentmesh:memory:indexes'))

-- lock_builder --
-- One process at a time fills an index or drops one.
SELECT pg_try_advisory_xact_lock(hashtext('agentmesh:memory:index_builder'))

-- read_indexes --
SELECT name, building, filled, retired FROM vector_index

-- write_indexes --
UPDATE vector_index SET name = $1, building = $2, filled = $3, retired = $4

-- name_filled --
UPDATE vector_index SET filled = true WHERE building = $1

-- index_everything --
INSERT INTO outbox (tenant, user_id, target, kind, source, session)
SELECT tenant, user_id, $1, kind, source, session FROM passage

-- count_changes --
-- As many as there are, up to a limit.
SELECT count(*) FROM (SELECT FROM outbox WHERE target = $1 LIMIT $2) AS waiting

-- adopt_changes --
-- What the version before this one left for the one index that it knew.
UPDATE outbox SET target = $1
WHERE id IN (SELECT id FROM outbox WHERE target = 'vectors' LIMIT 1000 FOR UPDATE SKIP LOCKED)

-- forget_target --
-- All but what a worker holds.
DELETE FROM outbox
WHERE id IN (SELECT id FROM outbox WHERE target = $1 FOR UPDATE SKIP LOCKED)
