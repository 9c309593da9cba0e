-- The second wall between tenants and users. What callers ask is asked as a role that sees the rows of the tenant and
-- user that Postgres was told of, whatever the statement says; an empty user is a caller that may act for all of the
-- tenant's, and without a tenant there are no rows. See memory_service.stores.walls.
--
-- The owner of the tables is the mesh itself, its workers and migrations, and is not held back: forcing the wall on it
-- would take a policy that lets everything through, and keep it from dumping its own tables.

-- Builds the wall of a table that has a tenant, and may have a user. Every statement asks for the two settings once.
create function build_wall(relation regclass, rights text default 'select, insert, update, delete') returns void
language plpgsql as $$
declare
  rule text := 'tenant = (select nullif(current_setting(''mesh.tenant'', true), ''''))';
begin
  if exists (select from pg_attribute where attrelid = relation and attname = 'user_id' and not attisdropped) then
    rule := rule || ' and (select current_setting(''mesh.user'', true)) in ('''', user_id)';
  end if;
  execute format('alter table %s enable row level security', relation);
  execute format('drop policy if exists of_caller on %s', relation);
  execute format('create policy of_caller on %s to agentmesh_memory using (%s)', relation, rule);
  execute format('grant %s on %s to agentmesh_memory', rights, relation);
end $$;

-- In the order in which a write takes the tables: who is within goes on to its end, and who comes waits at the first
-- table, holding nothing. In another order each holds what the other wants, and the migration gives way, again and again.
do $$
declare
  relation regclass;
begin
  execute format('grant usage on schema %I to agentmesh_memory', current_schema());
  for relation in
    select attrelid from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = current_schema()::regnamespace and relkind = 'r' and attname = 'tenant' and not attisdropped
    order by relname <> 'idempotency', relname = 'outbox', relname = 'passage', attrelid
  loop
    perform build_wall(relation, case when relation::text like 'vectors\_%' then 'select'
      else 'select, insert, update, delete' end);
  end loop;
end $$;

-- Its user stands in the request id, before the last line break: see memory_service.stores.rows.
drop policy of_caller on idempotency;
create policy of_caller on idempotency to agentmesh_memory using (
  tenant = (select nullif(current_setting('mesh.tenant', true), ''))
  and (select current_setting('mesh.user', true)) in ('', left(request_id, -strpos(reverse(request_id), chr(10))))
);

-- What has no tenant: which index a change is for, and what tells a process that the rows it keeps are not all there
-- any more, which names nobody and is written by triggers.
grant select on vector_index, deletion to agentmesh_memory;
