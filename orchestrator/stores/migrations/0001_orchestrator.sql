-- Sessions, agents, runs and their events. Every row carries its tenant.

create table session (
    id text primary key,
    tenant text not null,
    user_id text not null,
    title text not null,
    agent text not null,
    labels jsonb not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    etag text not null
);
create index session_of_user on session (tenant, user_id, id desc);

create table agent (
    tenant text not null,
    name text collate "C" not null,
    description text not null,
    spec jsonb not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    etag text not null,
    primary key (tenant, name)
);

create table run (
    id text primary key,
    tenant text not null,
    session text not null references session on delete cascade,
    user_id text not null,
    agent text not null,
    -- The agent as it was when the run was accepted, the run's own limits merged in.
    spec jsonb not null,
    input text not null,
    state text not null check (state in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    output text not null default '',
    failure jsonb,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    model_calls int not null default 0,
    tool_calls int not null default 0,
    -- Grows with every start of the agent: what an older attempt still writes is refused.
    attempt int not null default 0,
    last_sequence bigint not null default 0,
    oldest_sequence bigint not null default 1,
    -- The newest group commit that touched the run: a commit whose answer was lost is not done twice.
    last_batch text not null default '',
    -- W3C trace context of the call that made it.
    traceparent text not null default '',
    -- Whether the engine knows of it.
    dispatched boolean not null default false,
    create_time timestamptz not null,
    start_time timestamptz,
    finish_time timestamptz
);
create index run_of_tenant on run (tenant, id desc);
create index run_of_session on run (session, id desc);
-- One run at a time in a session.
create unique index run_active_in_session on run (session) where state in ('QUEUED', 'RUNNING');
create index run_not_dispatched on run (create_time) where state = 'QUEUED' and not dispatched;
create index run_to_prune on run (finish_time) where oldest_sequence < last_sequence;

create table run_event (
    run text not null references run on delete cascade,
    sequence bigint not null,
    create_time timestamptz not null,
    -- A RunEvent without its sequence, time and run.
    body bytea not null,
    primary key (run, sequence)
);

-- The orchestrators that are alive: each renews its beat; the runs of one that stopped are taken over.
create table executor (
    id text primary key,
    beat timestamptz not null
);

-- The answers of requests that may be repeated; see meshkit.sql.idempotency.
create table idempotency (
    tenant text not null,
    method text not null,
    request_id text not null,
    digest bytea not null,
    answer bytea,
    error bytea,
    created_at timestamptz not null default now(),
    primary key (tenant, method, request_id),
    check ((answer is null) <> (error is null))
);
create index idempotency_created_at on idempotency (created_at);
