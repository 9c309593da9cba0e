-- A vector index is built beside the one in use and takes its place; see memory_service.domain.indexes. `name` is the
-- one in use. `filled`: everything was put into the outbox for the one being built. `retired`: those to be dropped.

alter table vector_index add column building text not null default '';
alter table vector_index add column filled boolean not null default false;
alter table vector_index add column retired text[] not null default '{}';

-- The version before this one, which may still run beside it, would throw away every index but its own as soon as the
-- one in use is another's; it begins by taking the name away. It is told to try again later, until it is gone.
create function index_is_kept() returns trigger language plpgsql as $$
begin
  raise exception 'the index in use is that of a newer process' using errcode = 'serialization_failure';
end $$;
create trigger index_is_kept before update on vector_index for each row
when (new.name = '' and old.name <> '' and new.building = old.building) execute function index_is_kept();

-- Who changes something asks for 'vectors'; what follows is one change for every index there is, named by it. Each has
-- its workers, so one that is slow or away holds up no other. The lock is shared by all who write: whoever alters
-- vector_index holds it alone for a moment, and then no change is under way that has not heard of it.
create function change_is_for_every_index() returns trigger language plpgsql set search_path from current as $$
declare
  indexes record;
begin
  perform pg_advisory_xact_lock_shared(hashtext('agentmesh:memory:indexes'));
  select name, building into strict indexes from vector_index;
  if indexes.building <> '' then
    insert into outbox (target, tenant, user_id, kind, source, session)
    values (indexes.building, new.tenant, new.user_id, new.kind, new.source, new.session);
  end if;
  if indexes.name = '' then
    return null;
  end if;
  new.target := indexes.name;
  return new;
end $$;
create trigger change_is_for_every_index before insert on outbox for each row when (new.target = 'vectors')
execute function change_is_for_every_index();
