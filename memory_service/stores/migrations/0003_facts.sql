-- Where facts came from, how long they were true, and what they were before. A fact's present version is in its row, as
-- before; what it replaced, and what was said against it, stands beside it.

alter table fact add column source text not null default '';
alter table fact add column step text not null default '';
alter table fact add column interaction text not null default '';
alter table fact add column quote text not null default '';
alter table fact add column valid_from timestamptz;
alter table fact add column valid_to timestamptz;
alter table fact add column confirm_time timestamptz;
alter table fact add column change text not null default 'STATED';
alter table fact add column reason text not null default '';
alter table fact add column version int not null default 1;
alter table fact add column latest int not null default 1;
alter table fact add column contested boolean not null default false;
alter table fact drop constraint fact_origin_check;
alter table fact add constraint fact_origin_check
    check (origin in ('CLIENT', 'AGENT', 'EXTRACTION', 'TOOL', 'DOCUMENT')) not valid;
create index fact_of_source on fact (tenant, source) where source <> '';

-- Never changed, but for what comes after. `replace_time` is null of what was never believed; `ended_at` is when the next
-- version began to be true, if that was said: the old one is then no error, but was true until then.
create table fact_version (
    fact text collate "C" not null references fact (id) on delete cascade,
    number int not null,
    tenant text not null,
    user_id text not null,
    key text collate "C" not null,
    value text not null,
    category text not null,
    importance double precision not null,
    origin text not null,
    run text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    etag text not null,
    source text not null,
    step text not null,
    interaction text not null,
    quote text not null,
    valid_from timestamptz,
    valid_to timestamptz,
    confirm_time timestamptz,
    change text not null,
    reason text not null,
    record_time timestamptz not null,
    replace_time timestamptz,
    ended_at timestamptz,
    primary key (fact, number),
    check ((replace_time is null) = (change = 'CONTESTED'))
);
create index fact_version_of_user on fact_version (tenant, user_id, key, number);
create index fact_version_of_source on fact_version (tenant, source) where source <> '';
