"""A model that works through jobs: what it says follows from the conversation alone, so it may be asked again.

job j7 of 3 calls            three effects, then a sentence over about a second
"""

import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.model_server import ModelServer, Reply, call, say

__all__ = ["Worker", "task"]

_TASK = re.compile(r"job (\S+) of (\d+) calls")
_WORDS = 12


def task(job: str, calls: int = 2) -> str:
    """Return what to ask: that many calls, those with odd numbers to be made once only."""
    return f"job {job} of {calls} calls"


class Worker(ModelServer):
    """Serves jobs; everything else as a script says."""

    delay = 0.08
    """Seconds between two words of the last sentence."""

    def _reply_to(self, body: Mapping[str, Any]) -> Reply:
        messages = body["messages"]
        asked = [each["content"] for each in messages if each["role"] == "user" and isinstance(each["content"], str)]
        found = _TASK.search(asked[-1]) if asked else None
        if found is None:
            return super()._reply_to(body)
        job, calls = found[1], int(found[2])
        since = max(index for index, each in enumerate(messages) if each["role"] == "user")
        answers = [each["content"] for each in messages[since:] if each["role"] == "tool"]
        if len(answers) < calls:
            number = len(answers) + 1
            name = "effect_once" if number % 2 else "effect_again"
            return call(name, {"job": job, "number": number}, text=f"Call {number}. ")
        last = answers[-1] if answers else "nothing"
        return say(*(f"{job}.{word} " for word in range(_WORDS)), f"done: {last}", delay=self.delay)
