"""The page of configuration, made from the settings classes: what is read is what is written down.

Owns `docs/configuration.md`; `./mesh gen` writes it, a test compares it.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from meshkit.config import ServiceSettings, Settings, variable_of

__all__ = ["configuration_page"]

_HEAD = """# Configuration

Made from the services' settings classes by `./mesh gen`.

A service reads its environment once, at its start; nothing else does, and `.env` files are not read. Every variable
`NAME` may also be given as `NAME_FILE`, the path of a file that holds the value, or as a systemd credential named
`name` (`LoadCredential=`): use these for secrets. A value that cannot be used ends the start with status 78 and words
that name the variable, never its value.

`./mesh up` sets what the services need to find each other. It takes these from its own environment: `DATABASE_URL`,
`REDIS_URL`, `QDRANT_URL`, `QDRANT_API_KEY` (servers of yours instead of the embedded ones); `MESH_MODEL_URL`,
`MESH_MODEL`, `MESH_MODEL_KEY` and the other `MESH_MODEL_…` (your model); `MESH_EMBEDDINGS_…`;
`MESH_EXTRACTION_MODEL…`; `MESH_LIMIT_…`; `MESH_WEB_ALLOW`, `MESH_WIKIPEDIA_URL`, `MESH_ARXIV_URL` (what agents may
read beside the public web); `MESH_MAX_RUNS…`; `MESH_EVENT_RETENTION_DAYS`; `MESH_LOG_LEVEL`; `MESH_OTLP_ENDPOINT`;
`MESH_ORIGINS` (web pages that may call, separated by spaces). The commands that talk to a mesh read `MESH_ADDRESS`,
`MESH_TOKEN` and `MESH_STATE`.
"""

_SERVICES = {
    "orchestrator": ("orchestrator.config", "Config"),
    "memory_service": ("memory_service.config", "Config"),
    "agent_service": ("agent_service.config", "Config"),
}


def configuration_page() -> str:
    """Return the page: first what every service reads, then each service's own variables."""
    parts = [_HEAD, "## Every service\n", *_table(ServiceSettings, ())]
    for name, (module, attribute) in _SERVICES.items():
        settings: type[Settings] = getattr(importlib.import_module(module), attribute)
        parts += [f"\n## {name}\n", *_table(settings, _unchanged(settings))]
    return "\n".join(parts) + "\n"


def _unchanged(settings: type[Settings]) -> tuple[str, ...]:
    """Return the fields that a service takes from the base as they are."""
    base = ServiceSettings.model_fields
    return tuple(name for name, field in settings.model_fields.items() if name in base and _same(field, base[name]))


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return bool(one.default == other.default and one.annotation == other.annotation)


def _table(settings: type[Settings], without: tuple[str, ...]) -> Iterator[str]:
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in settings.model_fields.items():
        if name not in without:
            meaning = " ".join((field.description or "").split())
            yield f"| `{variable_of(name, field)}` | {_default(field.default)} | {meaning} |"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "needed"
    return "none" if value is None else f"`{value}`"
