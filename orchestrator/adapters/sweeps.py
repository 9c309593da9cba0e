"""What the engine asks Postgres itself: who is alive, and which runs nobody works on though somebody should.

Owns the queries; the engine says when they are asked.
"""

__all__ = [
    "ALIVE",
    "BEAT",
    "DISPATCHED",
    "FORGET",
    "ORPHANS",
    "RELEASE",
    "STRAYS",
]

BEAT = """
insert into executor (id, beat) values ($1, now()) on conflict (id) do update set beat = now()
"""
ALIVE = "select id from executor where beat > now() - make_interval(secs => $1)"
FORGET = "delete from executor where beat < now() - interval '1 day'"
DISPATCHED = "update run set dispatched = true where id = $1 and leg = $2"
# Accepted or let go on, but the process died before the engine heard of it. The youngest are left to their creators.
STRAYS = """
select * from run
where state = 'QUEUED' and not dispatched and not waits and create_time < now() - make_interval(secs => $1)
order by create_time limit $2
"""
# At work, says its row, but its workflow is over: an executor that was believed dead took the run from its successor,
# and then died indeed. Its next leg begins.
ORPHANS = """
select run.id, run.leg from run
left join dbos.workflow_status w on w.workflow_uuid = run.id || case when run.leg > 1 then '.' || run.leg else '' end
where run.state = 'RUNNING' and run.start_time < now() - interval '30 seconds'
    and (w.status is null or w.status in ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'))
limit $1
"""
# What began to wait at the very moment when the run before it ended waits for nobody.
RELEASE = """
update run set waits = false where id in (
    select min(id) from run as waiting where waits and not exists (
        select from run as other where other.session = waiting.session and not other.waits and other.parent = ''
            and other.state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
    ) group by session
)
"""
