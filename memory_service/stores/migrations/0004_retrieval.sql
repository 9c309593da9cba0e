-- Who said a turn, and where it came from if the user did not say it.

alter table interaction add column speaker text not null default '';
alter table interaction add column origin text not null default 'USER';
alter table interaction add column source text not null default '';
alter table interaction add constraint interaction_origin check (origin in ('USER', 'AGENT', 'TOOL', 'DOCUMENT')) not valid;
create index interaction_of_source on interaction (tenant, source) where source <> '';

-- The words of a passage as a search by words compares them: see memory_service.retrieval.lexicon. `place` tells what
-- stands beside what within a session or document, `head` who spoke, `asks` whether it holds a question. `words` is no longer written: what reads it is
-- the version before this one, which may still run beside this one, and it goes with the next version.
alter table passage add column terms bytea;
alter table passage add column place bigint not null default 0;
alter table passage add column head text not null default '';
alter table passage add column asks boolean not null default false;
alter table passage alter column words set default '';
-- The transaction that wrote the row last, so that a process that keeps an owner's rows can ask for the newer ones.
alter table passage add column written xid8 not null default '0';
alter table passage alter column written set default pg_current_xact_id();
create index passage_written on passage (tenant, user_id, kind, written);

alter table outbox drop constraint outbox_target_check;

-- What the version before this one writes has no terms: the outbox brings them.
create function passage_is_written() returns trigger language plpgsql as $$
begin
  new.written := pg_current_xact_id();
  if tg_op = 'UPDATE' and new.words <> '' and new.words <> old.words then
    new.terms := null;
  end if;
  if new.terms is null then
    insert into outbox (target, tenant, user_id, kind, source, session)
    values ('words', new.tenant, new.user_id, new.kind, new.source, new.session);
  end if;
  return new;
end $$;
create trigger passage_is_written before insert or update on passage for each row execute function passage_is_written();

-- Changes whenever rows of an owner are deleted: who keeps them then reads all of them anew. The owner is a hash, which
-- outlives an erasure and names nobody.
create table deletion (
    relation text not null,
    owner bigint not null,
    mark uuid not null,
    primary key (relation, owner)
);
create function owner_hash(tenant text, user_id text, kind text) returns bigint language sql immutable parallel safe
return hashtextextended(tenant || chr(10) || user_id || chr(10) || kind, 0);
create function rows_are_deleted() returns trigger language plpgsql security definer set search_path from current as $$
begin
  insert into deletion (relation, owner, mark)
  select tg_table_name, owner, gen_random_uuid()
  from (select distinct owner_hash(tenant, user_id, kind) as owner from gone) as owners order by owner
  on conflict (relation, owner) do update set mark = excluded.mark;
  return null;
end $$;
create trigger rows_are_deleted after delete on passage
referencing old table as gone for each statement execute function rows_are_deleted();

-- The tables of vectors that are there already; new ones are made like this.
do $$
declare
  name text;
begin
  for name in select tablename from pg_tables where schemaname = current_schema() and tablename like 'vectors\_%' loop
    execute format('alter table %I add column written xid8 not null default ''0''', name);
    execute format('alter table %I alter column written set default pg_current_xact_id()', name);
    execute format('create index on %I (tenant, user_id, kind, written)', name);
    execute format('create trigger rows_are_deleted after delete on %I '
      'referencing old table as gone for each statement execute function rows_are_deleted()', name);
  end loop;
end $$;

-- What each token of a turn means, a bit for each dimension: see memory_service.retrieval.maxsim. It goes with its turn.
create table token_vectors (
    source text collate "C" primary key references interaction (id) on delete cascade,
    tenant text not null,
    user_id text not null,
    tokens bytea not null
);
create index token_vectors_of_user on token_vectors (tenant, user_id);
