"""The frameworks that there are, and the one that this process runs.

Owns which adapter fills a runtime's name. It imports only the one that is asked for: each framework has an environment
of its own, in which the others are not installed.
"""

from importlib import import_module
from typing import cast

from agent_service.domain.runtime import Runtime
from meshkit.config import ConfigError

__all__ = ["RUNTIMES", "load"]

RUNTIMES = {
    "langchain": "agent_service.adapters.langchain_runtime:LangChainRuntime",
    "autogen": "agent_service.adapters.autogen_runtime:AutoGenRuntime",
    "crewai": "agent_service.adapters.crewai_runtime:CrewAIRuntime",
    "llamaindex": "agent_service.adapters.llamaindex_runtime:LlamaIndexRuntime",
}
"""Where each runtime's class is: `module:Class`."""


def load(name: str) -> Runtime:
    """Return the runtime of this name, ready to run. Raises ConfigError when its framework is not installed here."""
    module, _, class_name = RUNTIMES[name].partition(":")
    try:
        runtime = getattr(import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"MESH_RUNTIME is {name}, and this environment has no {error.name}: start it with .venv-{name}/bin/python"
        ) from error
    return cast(Runtime, runtime())
