-- Callers list their own runs, unless they act for others.

create index run_of_user on run (tenant, user_id, id desc);
