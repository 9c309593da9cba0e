-- Agents that ask agents: a run of its own for each question, in the session of the one that asks.

alter table run
    add column parent text not null default '',
    -- The number of the parent's step that asks.
    add column parent_step int not null default 0,
    -- The run that a person asked for; empty for that one itself.
    add column root text not null default '',
    add column depth int not null default 1;

-- A step asks once.
create unique index run_of_step on run (parent, parent_step) where parent <> '';
create index run_unfinished_child on run (parent)
    where parent <> '' and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED');
create index run_unfinished_in_tree on run (root)
    where root <> '' and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED');
create index run_awaiting on run (id) where state = 'WAITING';

-- One run at a time that a person asked for, with all that its agents ask for beside it.
drop index run_active_in_session;
create unique index run_active_in_session on run (session)
    where state not in ('SUCCEEDED', 'FAILED', 'CANCELLED') and not waits and parent = '';
