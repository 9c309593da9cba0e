-- The terms of what the versions before wrote: the outbox brings them. A file of its own, for it takes long and needs
-- no lock that anybody waits for.

insert into outbox (target, tenant, user_id, kind, source, session)
select 'words', tenant, user_id, kind, source, session from passage;
