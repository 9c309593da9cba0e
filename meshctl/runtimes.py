"""The agent frameworks that this mesh can run: which there are, and which ones a user asks for.

Each has an environment of its own (`meshctl.environments`), made when it is first asked for and kept.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from meshctl.environments import ensure, installed
from meshkit.errors import InvalidArgument

__all__ = ["NEEDED", "RUNTIMES", "chosen", "install"]

RUNTIMES = ("langchain", "autogen", "crewai", "llamaindex")
"""All that there are."""

NEEDED = ("langchain", "autogen", "llamaindex")
"""Those that the built-in agents run on."""


def chosen(text: str) -> tuple[str, ...]:
    """Return the runtimes of a list with commas, each once; `all` are all.

    Empty: those that the built-in agents need, and whatever else is installed. Raises InvalidArgument.
    """
    if not text:
        return tuple(name for name in RUNTIMES if name in NEEDED or installed(name))
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return RUNTIMES
    unknown = [name for name in names if name not in RUNTIMES]
    if unknown or not names:
        raise InvalidArgument(f"{', '.join(unknown) or text!r} is no runtime; there are {', '.join(RUNTIMES)}")
    return tuple(name for name in RUNTIMES if name in names)


def install(names: Sequence[str], tell: Callable[[str], None]) -> None:
    """Make the environments that are missing, side by side: most of the time each waits for the network.

    Raises SetupError, once the others are made.
    """
    with ThreadPoolExecutor(max_workers=len(RUNTIMES)) as workers:
        made = [workers.submit(ensure, name, tell) for name in names]
    for each in made:
        each.result()
