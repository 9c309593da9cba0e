"""The tool `current_time`: what time it is somewhere, and reckoning with dates."""

import calendar
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["CurrentTime"]


class _Arguments(Arguments):
    timezone: str = Field(
        default="UTC", min_length=1, max_length=64, description="IANA name of the time zone, e.g. `Europe/Paris`."
    )
    at: str = Field(
        default="",
        max_length=40,
        description="Start from this ISO 8601 date or time (in the time zone) instead of now, e.g. `2026-03-01`.",
    )
    add_months: int = Field(default=0, ge=-12_000, le=12_000, description="Calendar months to add; may be negative.")
    add_days: int = Field(default=0, ge=-400_000, le=400_000, description="Calendar days to add; may be negative.")
    add_hours: float = Field(
        default=0, ge=-100_000, le=100_000, allow_inf_nan=False, description="Hours of elapsed time to add."
    )
    until: str = Field(
        default="", max_length=40, description="Also tell how far it is from there to this ISO 8601 date or time."
    )


class CurrentTime:
    """Tells the time."""

    name = "current_time"
    description = "Tells the current date and time in a time zone, and adds to or compares dates and times."
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 5.0
    repeatable = True
    writes_memory = False

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`now` gives the time, with its zone."""
        self._now = now

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Return the time in words and in ISO 8601."""
        wanted = check(_Arguments, arguments)
        zone = _zone(wanted.timezone)
        try:
            moment = _read(wanted.at, zone) if wanted.at else self._now().astimezone(zone)
            # Months and days move the calendar and keep the hour on the wall; hours are time that really passes.
            moment = _settled(_add_months(moment, wanted.add_months) + timedelta(days=wanted.add_days))
            moment = (moment.astimezone(UTC) + timedelta(hours=wanted.add_hours)).astimezone(zone)
            told = f"{moment:%A}, {moment.isoformat(timespec='seconds')} ({zone.key}, {moment:%Z})"
            if wanted.until:
                told += f"\n{_distance(moment, _read(wanted.until, zone))}"
        except OverflowError:
            raise ToolError("That date is out of reach: years 1 to 9999 only.") from None
        return ToolAnswer(told)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError: ZoneInfoNotFoundError; OSError: the name of a folder
        raise ToolError("There is no such time zone. Use an IANA name like Europe/Paris or America/New_York.") from None


def _read(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ToolError("Write dates and times as in 2026-03-01 or 2026-03-01T14:30.") from None
    return _settled(moment.replace(tzinfo=zone)) if moment.tzinfo is None else moment.astimezone(zone)


def _add_months(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))  # 31 January + 1 month: 28 February


def _settled(moment: datetime) -> datetime:
    """Move an hour that a clock change leaves out (02:30 in spring) to the one that the clock shows then."""
    return moment.astimezone(UTC).astimezone(moment.tzinfo)


def _distance(start: datetime, end: datetime) -> str:
    days = _midnights(start.date(), end.date())
    seconds = round((end.astimezone(UTC) - start.astimezone(UTC)).total_seconds())
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    at_midnight = start.timetz().replace(tzinfo=None) == end.timetz().replace(tzinfo=None) == time()
    exact = "" if at_midnight else f"; {sign}{hours} h {rest // 60} min {rest % 60} s of elapsed time"
    return f"From there to {end.isoformat(timespec='seconds')}: {days} calendar days{exact}"


def _midnights(start: date, end: date) -> int:
    return (end - start).days
