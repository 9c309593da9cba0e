"""Looking for facts in turns: when a caller asks, and behind the turns that are stored. The gate decides what is kept.

Owns when it is done and by which settings. A turn gives its facts once, however often it is looked through.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from memory_service.domain.extraction import (
    Candidate,
    Extraction,
    ExtractionStore,
    Extractor,
    Judged,
    Verdict,
)
from memory_service.domain.gating import SecretFinder, judge
from memory_service.domain.model import Fact, FactChange, FactOrigin, Interaction, Source, owner_of
from memory_service.domain.ports import Clock, Wake
from memory_service.domain.positions import position_in_time, time_position
from memory_service.domain.settings import ExtractionMode, SettingsStore
from memory_service.domain.versions import Outcome, said
from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, MeshError, NotFound
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery

__all__ = ["Extractions", "learnt", "outcome_of"]

_REASON = "the user said so later"
_USERS_AT_ONCE = 4
_FOLLOW_SECONDS = 10.0  # with the longest call of a model behind it, less than what a batch may take


class Extractions:
    """The verbs on what is found in turns."""

    def __init__(
        self,
        store: ExtractionStore,
        settings: SettingsStore,
        extractor: Extractor,
        *,
        is_secret: SecretFinder,
        wake: Wake,
        new_id: IdFactory,
        clock: Clock,
    ) -> None:
        self._store, self._settings, self._extractor, self._is_secret = store, settings, extractor, is_secret
        self._wake, self._new_id, self._clock = wake, new_id, clock

    async def extract(self, caller: CallContext, interaction: str, user: str, *, dry_run: bool) -> Extraction:
        """Look through a turn now; a dry run leaves no trace. The tenant's settings allow no less than they say.

        Raises NotFound, PermissionDenied, FailedPrecondition if the tenant wants none of it, and what the extractor
        raises.
        """
        owner = owner_of(caller, user)
        mode = (await self._settings.get(owner.tenant)).extraction
        if mode is ExtractionMode.OFF:
            raise FailedPrecondition("extraction is off in the settings of this tenant")
        turn = await self._store.turn(owner, interaction)
        if dry_run:
            return await self._look_through(turn, dry_run=True)
        return await self._keep(turn, mode)

    async def follow(self, turns: Collection[Source]) -> Collection[Source]:
        """Look through turns that were stored, each user's in their order; returns those that are done.

        What is not done in some seconds is left for another time. Raises what kept it from doing any of them.
        """
        give_up = time.monotonic() + _FOLLOW_SECONDS
        places = asyncio.Semaphore(_USERS_AT_ONCE)
        done: list[Source] = []
        failures: list[MeshError] = []

        async def follow_user(theirs: Sequence[Source]) -> None:
            async with places:
                for source in theirs:
                    if time.monotonic() > give_up:
                        return
                    try:
                        await self._follow(source)
                    except MeshError as error:
                        failures.append(error)
                        return
                    done.append(source)

        users = {source.owner: sorted((s for s in turns if s.owner == source.owner), key=_id) for source in turns}
        await asyncio.gather(*map(follow_user, users.values()))
        if failures and not done:
            raise failures[0]
        return done

    async def _follow(self, source: Source) -> None:
        mode = (await self._settings.get(source.owner.tenant)).extraction
        if mode is ExtractionMode.OFF:
            return
        try:
            await self._keep(await self._store.turn(source.owner, source.id), mode)
        except NotFound:
            return  # deleted meanwhile

    async def list(self, caller: CallContext, user: str, size: int, token: str) -> Page[Extraction]:
        """Return a page of what was found in a user's turns, newest first. Raises PermissionDenied."""
        owner = owner_of(caller, user)
        pages = PageQuery("ListExtractions", owner.tenant, {"user": owner.user})
        rows = await self._store.list(owner, position_in_time(pages.cursor(token, int, str)), size)
        last = rows.items[-1] if rows.more else None
        return Page(list(rows.items), pages.token(time_position(last.create_time, last.interaction)) if last else "")

    async def _keep(self, turn: Interaction, mode: ExtractionMode) -> Extraction:
        dry_run = mode is ExtractionMode.DRY_RUN
        known = await self._store.find(turn.owner, turn.id)
        if known is not None and (dry_run or not known.dry_run):
            return known
        found = await self._look_through(turn, dry_run=dry_run)
        now = self._clock()

        def claim(candidate: Candidate) -> Fact:
            return Fact(
                id=self._new_id("fact"),
                owner=turn.owner,
                key=candidate.key,
                value=candidate.value,
                category=candidate.category,
                importance=candidate.importance,
                origin=FactOrigin.EXTRACTION,
                run=turn.run,
                create_time=now,
                update_time=now,
                etag=self._new_id("etag"),
                interaction=turn.id,
                quote=candidate.quote,
                valid_from=turn.create_time,
                change=FactChange.SUPERSEDED,
                reason=_REASON,
            )

        stored = await self._store.record(turn, found, claim)
        self._wake()
        return stored

    async def _look_through(self, turn: Interaction, *, dry_run: bool) -> Extraction:
        around = await self._store.around(turn)
        candidates = await self._extractor.extract(turn, around)
        # A long text takes tens of milliseconds: not in the loop that answers everybody else.
        judged = await asyncio.to_thread(judge, turn, candidates, around, self._is_secret)
        return Extraction(turn.id, turn.owner, self._extractor.name, dry_run, judged, self._clock())


def _id(source: Source) -> str:
    return source.id


def learnt(old: Fact | None, claim: Fact, told_at: datetime | None) -> Outcome:
    """Return what becomes of a fact when the user said something of it in a turn; both may be the user's own words.

    `told_at` is when the old value was said. What is said again confirms it; what was said earlier does not replace it,
    though it was read later.
    """
    if old is None:
        return said(None, replace(claim, valid_from=None))  # it is true, but nobody said since when
    if old.origin.trust == claim.origin.trust:
        at = claim.valid_from or claim.update_time
        if old.value.casefold() == claim.value.casefold():
            return Outcome(replace(old, confirm_time=max(at, old.confirm_time or at)))
        if told_at is not None and told_at > at:
            return Outcome(old)
    return said(old, claim)


def outcome_of(candidate: Candidate, claim: Fact, fact: Fact) -> Judged:
    """Return what became of a candidate that passed the gate, seen from the fact as it is now."""
    if fact.value.casefold() == claim.value.casefold():
        return Judged(candidate, Verdict.KEPT, fact.id)
    if fact.etag == claim.etag:
        return Judged(candidate, Verdict.CONTESTED, fact.id)
    return Judged(candidate, Verdict.NOT_WORTH_KEEPING)  # the user has said otherwise since
