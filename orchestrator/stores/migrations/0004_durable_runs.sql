-- The ledger of what runs do, and what people may ask of runs that are under way.

alter table run
    drop constraint run_state_check,
    add constraint run_state_check
        check (state in ('QUEUED', 'RUNNING', 'PAUSED', 'WAITING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    add column cost_micros bigint not null default 0,
    -- Grows when a suspended run is put back to work; the engine's workflow of an older leg does nothing.
    add column leg int not null default 1,
    -- Attempts that this leg has begun: a run that kills its executors must end, one that is paused often need not.
    add column starts int not null default 0,
    add column paused boolean not null default false,
    add column step_allowed boolean not null default false,
    -- Nothing works on it: whoever lets it go on must put it back to work.
    add column suspended boolean not null default false,
    add column idle_since timestamptz,
    add column idle interval not null default '0',
    -- QUEUED behind another run of its session.
    add column waits boolean not null default false,
    add column bulk boolean not null default false,
    add column forked_from text not null default '';

drop index run_active_in_session;
-- One run at a time in a session; others may wait behind it.
create unique index run_active_in_session on run (session)
    where state not in ('SUCCEEDED', 'FAILED', 'CANCELLED') and not waits;
create index run_waiting_in_session on run (session, id) where waits;
drop index run_not_dispatched;
create index run_not_dispatched on run (create_time) where state = 'QUEUED' and not dispatched and not waits;
create index run_forked_into_session on run (session) where forked_from <> '';
create index run_unfinished_of_tenant on run (tenant, agent) where state not in ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- What the agent was given besides its input: the same for every attempt, else nothing could be replayed.
create table run_context (
    run text primary key references run on delete cascade,
    body bytea not null
);

-- What steps brought: stored once in a tenant, whatever number of steps and forks brought it.
create table blob (
    tenant text not null,
    digest bytea not null,
    content bytea not null,
    create_time timestamptz not null default now(),
    primary key (tenant, digest)
);

-- The ledger. A step is the n-th time (occurrence) that a run asks exactly this (kind, digest).
create table step (
    run text not null references run on delete cascade,
    number int not null,
    tenant text not null,
    kind text not null check (kind in ('MODEL', 'TOOL')),
    digest bytea not null,
    occurrence int not null,
    name text not null,
    agent text not null,
    state text not null check (state in ('STARTED', 'COMPLETED', 'FAILED', 'WAITING')),
    -- The attempt that last began it; 0 for a step that a fork copied.
    attempt int not null,
    -- A tool's arguments as JSON text, as they were carried out. Empty for a model: its request is told by the digest.
    arguments text not null default '',
    -- The digest of its blob.
    result bytea,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    cost_micros bigint not null default 0,
    cached boolean not null default false,
    create_time timestamptz not null default now(),
    finish_time timestamptz,
    primary key (run, number),
    unique (run, kind, digest, occurrence)
);
create index step_result on step (tenant, result) where result is not null;

-- What runs ask of people; an answer counts once.
create table input_request (
    id text primary key,
    run text not null references run on delete cascade,
    step int not null,
    kind text not null check (kind in ('APPROVAL', 'QUESTION', 'UNCERTAIN')),
    tool text not null,
    arguments text not null,
    arguments_digest text not null,
    question text not null,
    create_time timestamptz not null,
    expire_time timestamptz not null,
    -- Null while it is open.
    answer text check (answer in ('APPROVED', 'DENIED', 'EDITED', 'TEXT', 'EXPIRED')),
    -- The reason of a denial, the text of an answer, the arguments of an edit.
    answer_text text not null default '',
    answer_user text not null default '',
    answer_time timestamptz,
    -- Whether the step has taken the answer.
    used boolean not null default false
);
create index input_request_of_run on input_request (run, step);
create index input_request_open on input_request (expire_time) where answer is null;

-- What people said to runs that are under way.
create table steering (
    run text not null references run on delete cascade,
    number int not null,
    text text not null,
    user_id text not null,
    create_time timestamptz not null,
    -- The model step that first carried it; null until then.
    step int,
    primary key (run, number)
);

-- Answers of models that may be given again to the same request, of agents that allow it.
create table model_cache (
    tenant text not null,
    digest bytea not null,
    result bytea not null,
    expire_time timestamptz not null,
    primary key (tenant, digest)
);
create index model_cache_result on model_cache (tenant, result);
create index model_cache_expire_time on model_cache (expire_time);
