"""Reading ahead what a run has done, for an attempt that does it once more."""

from collections.abc import Callable, Sequence

from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool
from orchestrator.domain.ledger import Attempt, Recorded, Replay, Said
from orchestrator.domain.steps import Outcome, StepKind

__all__ = ["read_recorded", "said_of"]

_MAX_STEPS = 100
_BYTES = 1024 * 1024

# Sizes are added up before anything is read out of a blob; the first step is given whatever its size.
_READ = """
select sized.*, (
    select jsonb_agg(jsonb_build_array(said.number, said.text) order by said.number)
    from steering said where said.run = $1 and said.step = sized.number
) as said
from (
    select s.number, s.kind, s.digest, s.occurrence, s.cached, b.content,
        row_number() over steps as place, sum(octet_length(b.content)) over steps as size
    from (
        select step.* from step join run on run.id = step.run
        where run = $1 and run.tenant = $2 and run.attempt = $3 and step.state = 'COMPLETED' and step.number > $4
        order by step.number limit $5
    ) as s
    join blob b on b.tenant = s.tenant and b.digest = s.result
    window steps as (order by s.number)
) as sized
where place = 1 or size <= $6 order by number
"""


async def read_recorded(
    pool: Pool, attempt: Attempt, after: int, decode: Callable[[bytes], Outcome]
) -> Sequence[Recorded]:
    """Return the steps that are recorded after the one of that number, none for an attempt that is not at work.

    At most 100, and about 1 MiB. `decode` reads a blob.
    """
    with driver_errors():
        rows = await pool.fetch(_READ, attempt.run, attempt.tenant, attempt.number, after, _MAX_STEPS, _BYTES)
    return [
        Recorded(
            StepKind(row["kind"]),
            row["digest"],
            row["occurrence"],
            Replay(
                f"{row['kind'].lower()}-{row['number']}", decode(row["content"]), row["cached"], said_of(row["said"])
            ),
        )
        for row in rows
    ]


def said_of(pairs: list[list[int | str]] | None) -> tuple[Said, ...]:
    """Return what joined the conversation with a step."""
    return tuple((int(number), str(text)) for number, text in pairs or ())
