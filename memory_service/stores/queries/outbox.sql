-- What must follow a change. Every query of a caller names the tenant and the user: $1 and $2 wherever both are there.

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
