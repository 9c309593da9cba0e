"""What time it is, and dates reckoned over months, clock changes and the ends of the calendar."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent_service.adapters.tools.current_time import CurrentTime
from agent_service.domain.tool import ToolError
from tests.unit.agent.tasks import tool_run

CLOCK = CurrentTime(lambda: datetime(2026, 11, 22, 17, 10, 59, tzinfo=UTC))


async def told(**arguments: Any) -> str:
    return (await CLOCK.call(arguments, tool_run())).content


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, "Sunday, 2026-11-22T17:10:59+00:00 (UTC, UTC)"),
        ({"timezone": "Europe/Paris"}, "Sunday, 2026-11-22T18:10:59+01:00 (Europe/Paris, CET)"),
        ({"timezone": "Asia/Kathmandu"}, "Sunday, 2026-11-22T22:55:59+05:45 (Asia/Kathmandu, +0545)"),
        ({"at": "2026-01-31", "add_months": 1}, "Saturday, 2026-02-28T00:00:00+00:00 (UTC, UTC)"),
        ({"at": "2024-02-29", "add_months": 12}, "Friday, 2025-02-28T00:00:00+00:00 (UTC, UTC)"),
        ({"at": "2026-03-01", "add_days": -1}, "Saturday, 2026-02-28T00:00:00+00:00 (UTC, UTC)"),
        # A day keeps the hour on the wall, 24 hours do not: the clocks change on 29 March 2026.
        ({"timezone": "Europe/Paris", "at": "2026-03-28T12:00", "add_days": 1},
         "Sunday, 2026-03-29T12:00:00+02:00 (Europe/Paris, CEST)"),
        ({"timezone": "Europe/Paris", "at": "2026-03-28T12:00", "add_hours": 24},
         "Sunday, 2026-03-29T13:00:00+02:00 (Europe/Paris, CEST)"),
        # 02:30 does not exist that day.
        ({"timezone": "Europe/Paris", "at": "2026-03-29T02:30"},
         "Sunday, 2026-03-29T03:30:00+02:00 (Europe/Paris, CEST)"),
        ({"at": "2026-03-01T10:00:00Z", "timezone": "America/New_York"},
         "Sunday, 2026-03-01T05:00:00-05:00 (America/New_York, EST)"),
        ({"at": "2026-11-22", "until": "2026-12-24"},
         "Sunday, 2026-11-22T00:00:00+00:00 (UTC, UTC)\nFrom there to 2026-12-24T00:00:00+00:00: 32 calendar days"),
        ({"at": "2026-11-22T12:00", "until": "2026-11-21T11:59:30"},
         ("Sunday, 2026-11-22T12:00:00+00:00 (UTC, UTC)\n"
          "From there to 2026-11-21T11:59:30+00:00: -1 calendar days; -24 h 0 min 30 s of elapsed time")),
    ],
)  # fmt: skip
async def test_it_tells(arguments: dict[str, Any], answer: str) -> None:
    assert await told(**arguments) == answer


@pytest.mark.parametrize(
    "arguments",
    [
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": "Europe"},
        {"at": "tomorrow"},
        {"at": "9999-12-31", "add_days": 1},
        {"at": "0001-01-01", "add_months": -1},
        {"at": "9999-12-31T23:30", "timezone": "America/New_York", "until": "2026-01-01"},
        {"add_days": "many"},
        {"add_hours": float("inf")},
        {"zone": "UTC"},
    ],
)
async def test_it_refuses_in_words(arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        await told(**arguments)
