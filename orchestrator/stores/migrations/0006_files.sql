-- Files of sessions; their content is in blobs, so that the same content is kept once in a tenant.

create table file (
    session text not null references session on delete cascade,
    name text collate "C" not null,
    tenant text not null,
    media_type text not null,
    size int not null,
    digest bytea not null,
    -- The run whose agent made it; empty: a caller brought it.
    run text not null default '',
    create_time timestamptz not null default now(),
    primary key (session, name)
);
create index file_content on file (tenant, digest);
