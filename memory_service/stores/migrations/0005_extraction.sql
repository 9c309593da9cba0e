-- What tenants want of their memory, and what was found in turns. A tenant without a row has the defaults.

create table memory_settings (
    tenant text primary key,
    extraction text not null check (extraction in ('OFF', 'DRY_RUN', 'ON')),
    interaction_retention_days int not null check (interaction_retention_days >= 0),
    fact_retention_days int not null check (fact_retention_days >= 0),
    document_retention_days int not null check (document_retention_days >= 0),
    etag text not null
);

-- One report for each turn that was looked through, also if nothing was found: so a turn gives its facts once. It goes
-- with its turn.
create table extraction (
    interaction text collate "C" primary key references interaction (id) on delete cascade,
    tenant text not null,
    user_id text not null,
    extractor text not null,
    dry_run boolean not null,
    candidates jsonb not null,
    create_time timestamptz not null
);
create index extraction_of_user on extraction (tenant, user_id, create_time desc, interaction desc);
