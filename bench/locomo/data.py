"""The LoCoMo file as turns and questions: what training and evaluation read. It knows no model and no feature."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Conversation", "Question", "Turn", "load"]

_EVIDENCE = re.compile(r"D(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said: what the product stores as one interaction's input."""

    dia_id: str
    session: int
    speaker: str
    text: str
    """With the caption of its photo, if there is one, as `[photo: caption]`."""
    time: datetime

    @property
    def head(self) -> str:
        """Return the `day Month year, speaker: ` which precedes the text where it is embedded."""
        return f"{self.time.day} {self.time:%B} {self.time.year}, {self.speaker}: "


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the turns that answer it."""

    text: str
    category: int
    """1 multi-hop, 2 temporal, 3 open, 4 single-hop, 5 adversarial."""
    evidence: frozenset[int]
    """Places in the conversation's turns; never empty."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All turns in order of time, and the questions that have evidence among them."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def load(path: Path) -> list[Conversation]:
    """Read a LoCoMo file. Evidence that names no turn is dropped, and a question left with none."""
    return [_conversation(sample) for sample in json.loads(path.read_text())]


def _conversation(sample: Mapping[str, Any]) -> Conversation:
    spoken = sample["conversation"]
    sessions = sorted(
        int(key.removeprefix("session_")) for key, value in spoken.items() if isinstance(value, list) and value
    )
    turns: list[Turn] = []
    for session in sessions:
        time = datetime.strptime(spoken[f"session_{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for raw in spoken[f"session_{session}"]:
            photo = f" [photo: {raw['blip_caption']}]" if raw.get("blip_caption") else ""
            turns.append(Turn(raw["dia_id"], session, raw["speaker"], raw["text"] + photo, time))
    place = {_EVIDENCE.fullmatch(turn.dia_id).groups(): index for index, turn in enumerate(turns)}  # type: ignore[union-attr]
    questions: list[Question] = []
    for raw in sample["qa"]:
        named = {(str(int(a)), str(int(b))) for a, b in _EVIDENCE.findall(" ".join(raw.get("evidence") or ()))}
        evidence = frozenset(place[ids] for ids in named if ids in place)
        if evidence:
            questions.append(Question(raw["question"], raw["category"], evidence))
    return Conversation(str(sample.get("sample_id", "")), tuple(turns), tuple(questions))
