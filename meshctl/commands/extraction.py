"""`mesh memory settings` and `extractions`: what a tenant wants of its memory, and what was found in users' turns."""

from typing import Annotated

import typer
from agentmesh.memory.v1.extraction_pb2 import Extraction, ExtractionCandidate, ExtractionMode, ExtractionVerdict
from agentmesh.memory.v1.extraction_service_pb2 import ListExtractionsRequest
from agentmesh.memory.v1.settings_service_pb2 import (
    GetMemorySettingsRequest,
    MemorySettings,
    UpdateMemorySettingsRequest,
)

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption, UserOption
from meshctl.commands.call import call
from meshctl.console import print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["list_extractions", "settings"]

_MODES = {
    "off": ExtractionMode.EXTRACTION_MODE_OFF,
    "dry-run": ExtractionMode.EXTRACTION_MODE_DRY_RUN,
    "on": ExtractionMode.EXTRACTION_MODE_ON,
}
DaysOption = Annotated[int | None, typer.Option(min=0, max=36_500, metavar="DAYS", help="0: until somebody deletes.")]


def settings(
    extraction: Annotated[
        str | None, typer.Option(help="Whether facts are looked for in what users say: on, off or dry-run.")
    ] = None,
    keep_turns: DaysOption = None,
    keep_facts: DaysOption = None,
    keep_documents: DaysOption = None,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what the tenant wants of its memory, and change it; options that are left out change nothing."""
    if extraction is not None and extraction not in _MODES:
        raise typer.BadParameter(f"one of {', '.join(_MODES)}", param_hint="--extraction")

    async def work(client: MeshClient) -> MemorySettings:
        present = await client.memory_settings.GetMemorySettings(GetMemorySettingsRequest())
        wanted = MemorySettings()
        wanted.CopyFrom(present)  # its etag too: what somebody else changes meanwhile is not overwritten
        if extraction is not None:
            wanted.extraction = _MODES[extraction]
        if keep_turns is not None:
            wanted.interaction_retention_days = keep_turns
        if keep_facts is not None:
            wanted.fact_retention_days = keep_facts
        if keep_documents is not None:
            wanted.document_retention_days = keep_documents
        if wanted == present:
            return present
        return await client.memory_settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=wanted))

    now = call(state, work)
    if json:
        print_message(now)
        return
    rows = (
        ("extraction", next(name for name, mode in _MODES.items() if mode == now.extraction)),
        ("keep turns", _days(now.interaction_retention_days)),
        ("keep facts", _days(now.fact_retention_days)),
        ("keep documents", _days(now.document_retention_days)),
    )
    print_table(("setting", "value"), rows)


def list_extractions(
    user: UserOption = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many turns at most.")] = 50,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List what was found in a user's turns and what became of it, newest first."""

    async def work(client: MeshClient) -> list[Extraction]:
        request = ListExtractionsRequest(user=user, page_size=limit)
        return list((await client.extraction.ListExtractions(request)).extractions)

    found = call(state, work)
    if json:
        for extraction in found:
            print_message(extraction)
        return
    rows = (
        (
            extraction.interaction,
            candidate.key,
            candidate.value,
            _verdict(candidate, dry_run=extraction.dry_run),
            candidate.fact,
            candidate.quote,
        )
        for extraction in found
        for candidate in extraction.candidates
    )
    print_table(("turn", "key", "value", "verdict", "fact", "in the words"), rows)


def _verdict(candidate: ExtractionCandidate, *, dry_run: bool) -> str:
    name = ExtractionVerdict.Name(candidate.verdict).removeprefix("EXTRACTION_VERDICT_").lower().replace("_", " ")
    return f"{name} (dry run)" if dry_run else name


def _days(days: int) -> str:
    return f"{days} days" if days else "until somebody deletes them"
