-- Documents and the passages that they were split into. A document never changes: its next version is another one.

create table document (
    id text collate "C" primary key,
    tenant text not null,
    user_id text not null,
    title text not null,
    uri text not null,
    media_type text not null,
    labels jsonb not null,
    sha256 text not null,
    characters int not null,
    passages int not null,
    create_time timestamptz not null
);
create index document_of_user on document (tenant, user_id, create_time desc, id desc);
create unique index document_of_uri on document (tenant, user_id, uri) where uri <> '';

-- The id is that of the document, `#` and the number: it is the source of the passage's words and vectors, whose
-- session is the document.
create table document_passage (
    id text collate "C" primary key,
    tenant text not null,
    user_id text not null,
    document text collate "C" not null references document (id) on delete cascade,
    number int not null,
    heading text not null,
    body text not null,
    starts int not null,
    ends int not null,
    unique (document, number)
);

-- The new rules allow all that the old ones did, so no row has to be read again.
alter table passage drop constraint passage_kind_check;
alter table passage add constraint passage_kind_check check (kind in ('interaction', 'fact', 'document')) not valid;
alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in ('interaction', 'fact', 'document')) not valid;
