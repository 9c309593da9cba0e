-- Turns, facts, the words to find them by, and what must follow a change. Every row carries its tenant and user.

create table interaction (
    id text collate "C" primary key,
    tenant text not null,
    user_id text not null,
    session text not null,
    run text not null,
    agent text not null,
    input text not null,
    output text not null,
    labels jsonb not null,
    create_time timestamptz not null
);
create index interaction_of_user on interaction (tenant, user_id, create_time desc, id desc);
create index interaction_of_session on interaction (tenant, user_id, session, create_time desc, id desc);

create table fact (
    id text collate "C" primary key,
    tenant text not null,
    user_id text not null,
    key text collate "C" not null,
    value text not null,
    category text not null check (category in ('PROFILE', 'PREFERENCE', 'GOAL', 'KNOWLEDGE')),
    importance double precision not null check (importance between 0 and 1),
    origin text not null check (origin in ('CLIENT', 'AGENT')),
    run text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    etag text not null,
    constraint fact_key unique (tenant, user_id, key)
);

-- The words of a turn or fact, written in its own transaction: whatever is stored is found by its words at once.
-- There is no index on the words on purpose: a search reads the rows of one user, which costs milliseconds for ten
-- thousand of them and never depends on what other tenants store.
create table passage (
    tenant text not null,
    user_id text not null,
    kind text not null check (kind in ('interaction', 'fact')),
    source text collate "C" not null,
    session text not null,
    words tsvector not null,
    primary key (tenant, user_id, kind, source)
);

-- What the vector index and the cache have yet to hear of, written in the transaction of the change itself.
create table outbox (
    id bigint generated always as identity primary key,
    target text not null check (target in ('vectors', 'recent')),
    tenant text not null,
    user_id text not null,
    kind text not null check (kind in ('interaction', 'fact')),
    source text collate "C" not null,
    session text not null,
    attempts int not null default 0,
    due timestamptz not null default now()
);
create index outbox_due on outbox (target, due, id);

-- The one vector index that holds everything, or will once the outbox is empty. An empty name: none yet.
create table vector_index (
    single boolean primary key default true check (single),
    name text not null
);
insert into vector_index (name) values ('');

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
