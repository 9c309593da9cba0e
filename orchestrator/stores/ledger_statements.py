"""What the ledger asks Postgres for every step: to look, to begin or finish, to complete. One statement each."""

__all__ = ["COMPLETE", "LOOK", "WRITE"]

# A cached answer is to what the cached request said: once people have joined the talk, it is no answer any more.
LOOK = """
select run.*, s.number, s.state as step_state, s.attempt as step_attempt, s.arguments as step_arguments, s.cached,
    s.create_time as step_create_time, b.content, c.content as cached_content, q.request,
    case when $3 = 'MODEL' then (
        select jsonb_agg(jsonb_build_array(said.number, said.text) order by said.number)
        from steering said where said.run = $1 and said.step = s.number
    ) end as said
from run
left join step s on s.run = run.id and s.kind = $3 and s.digest = $4 and s.occurrence = $5
left join blob b on b.tenant = run.tenant and b.digest = s.result
left join lateral (
    select i as request from input_request i where i.run = run.id and i.step = s.number order by i.id desc limit 1
) q on true
left join lateral (
    select kept.content from model_cache m join blob kept on kept.tenant = m.tenant and kept.digest = m.result
    where $3 = 'MODEL' and run.spec ->> 'cache_seconds' is not null and m.tenant = run.tenant and m.digest = $4
        and m.expire_time > now() and not exists (select from steering where steering.run = run.id)
) c on true
where run.id = $1 and run.tenant = $2
"""

# Writes only if run and step are as they were when it was decided. A blob that is there becomes young again: it must
# not be swept up before the step that names it is committed.
WRITE = """
with gate as (
    select id, tenant from run
    where id = $1 and attempt = $2 and state = $3 and not suspended and paused = $4 and step_allowed = $5
        and (input_tokens, output_tokens, model_calls, tool_calls, cost_micros) = ($6, $7, $8, $9, $10)
    for update
), kept as (
    insert into blob (tenant, digest, content) select tenant, $21, $22 from gate where $22::bytea is not null
    on conflict (tenant, digest) do update set create_time = now()
), begun as (
    insert into step (
        run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments, result, cached,
        finish_time
    )
    select id, 1 + (select coalesce(max(number), 0) from step where run = $1), tenant, $11::text, $12, $13, $14, $15,
        $16::text, $2, $17, $21, $18, case when $16::text = 'COMPLETED' then now() end
    from gate
    on conflict (run, kind, digest, occurrence) do update set
        state = excluded.state, attempt = excluded.attempt, arguments = excluded.arguments, result = excluded.result,
        cached = excluded.cached, finish_time = excluded.finish_time
    where step.state = $19 and step.attempt = $20
    returning number
), taken as (
    update input_request set used = true from begun where input_request.id = $23
), carried as (
    update steering set step = begun.number from begun
    where $16::text = 'STARTED' and $11::text = 'MODEL' and steering.run = $1 and steering.step is null
    returning steering.number, steering.text
), counted as (
    update run set
        model_calls = model_calls + ($16::text = 'STARTED' and $11::text = 'MODEL')::int,
        tool_calls = tool_calls + ($16::text = 'STARTED' and $11::text = 'TOOL')::int,
        step_allowed = step_allowed and not $24::bool
    from begun where run.id = $1 and ($16::text = 'STARTED' or $24::bool)
)
select number, (select jsonb_agg(jsonb_build_array(carried.number, text) order by carried.number) from carried) as said
from begun
"""

COMPLETE = """
with fence as (
    select id, tenant, (spec ->> 'cache_seconds')::float as cache_seconds from run
    where id = $1 and attempt = $2 and tenant = $11 and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
    for update
), done as (
    update step set
        state = case when $6::bytea is null then 'FAILED' else 'COMPLETED' end, result = $5, finish_time = now(),
        input_tokens = step.input_tokens + $7, output_tokens = step.output_tokens + $8,
        cost_micros = step.cost_micros + $9
    from fence where step.run = $1 and step.number = $3 and step.kind = $4 and step.state = 'STARTED'
        and step.attempt = $2
    returning step.digest
), kept as (
    insert into blob (tenant, digest, content) select tenant, $5, $6 from fence, done where $6::bytea is not null
    on conflict (tenant, digest) do update set create_time = now()
), cached as (
    insert into model_cache (tenant, digest, result, expire_time)
    select tenant, done.digest, $5, now() + make_interval(secs => cache_seconds) from fence, done
    where $10::bool and $6::bytea is not null and cache_seconds is not null
        and not exists (select from steering where run = $1)
    on conflict (tenant, digest) do update set result = excluded.result, expire_time = excluded.expire_time
), counted as (
    update run set input_tokens = input_tokens + $7, output_tokens = output_tokens + $8, cost_micros = cost_micros + $9
    from done where run.id = $1
)
select exists (select from fence) as current, exists (select from done) as done, exists (
    select from step where run = $1 and number = $3 and kind = $4 and attempt = $2 and state in ('COMPLETED', 'FAILED')
) as before
"""
