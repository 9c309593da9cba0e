-- Turns that memory has yet to store: a run's answer is not lost while memory is away.

alter table run
    -- When to try next; null when there is nothing to store.
    add column remember_time timestamptz,
    add column remember_tries int not null default 0;
create index run_to_remember on run (remember_time) where remember_time is not null;
