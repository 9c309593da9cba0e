-- Changes with every change of a session's turns, in the same transaction: whoever keeps the turns of a session asks
-- whether they are still those. Where a turn was deleted there is none until the next one is stored, and nothing of the
-- session is kept; so no version ever comes again, and an erasure leaves none behind.

create table session_version (
    tenant text not null,
    user_id text not null,
    session text not null,
    version xid8 not null,
    primary key (tenant, user_id, session)
);
select build_wall('session_version', 'select');

-- In one order, so that two who write to the same sessions never wait for each other.
create function session_grows() returns trigger language plpgsql security definer set search_path from current as $$
begin
  insert into session_version (tenant, user_id, session, version)
  select distinct tenant, user_id, session, pg_current_xact_id() from changed where session <> '' order by 1, 2, 3
  on conflict (tenant, user_id, session) do update set version = excluded.version;
  return null;
end $$;
create function session_shrinks() returns trigger language plpgsql security definer set search_path from current as $$
begin
  delete from session_version where (tenant, user_id, session) in (
    select tenant, user_id, session from session_version join (select distinct tenant, user_id, session from changed) as gone
      using (tenant, user_id, session)
    order by tenant, user_id, session for update of session_version
  );
  return null;
end $$;
create trigger session_grows after insert on interaction
referencing new table as changed for each statement execute function session_grows();
create trigger session_is_rewritten after update on interaction
referencing new table as changed for each statement execute function session_grows();
create trigger session_shrinks after delete on interaction
referencing old table as changed for each statement execute function session_shrinks();
