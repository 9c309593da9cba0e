"""What the offline model answers: a few fixed rules, and every answer says that it is no language model.

Owns the rules, in their order. It is pure: no clock, no network, no randomness; the same conversation always gets the
same answer. It knows nothing of HTTP (`model.py`) or of the wire format (`completions.py`).

    1. after the result of a tool              quote the result
    2. the user names an offered tool          call it, with arguments taken from the words
    3. the user asks for something             quote the remembered sentence that fits best
    4. the user tells something                say honestly who keeps it
    5. anything else                           say what this is, what it can do, and how to set a model
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshctl.embedded.arguments import arguments_for
from meshctl.embedded.matching import best_match, is_question

__all__ = ["MODEL_ID", "Call", "Message", "Tool", "Words", "respond"]

MODEL_ID = "builtin/rules-1"

SIGNATURE = "(Built-in rule-based responder; no language model is configured.)"
_ABOUT = (
    "No language model is configured: I am the built-in rule-based responder. I can call a tool that you name "
    '("use the calculator: 12*7") and quote what you told me before. Set MESH_MODEL_URL to use a real model.'
)
_NOTED = f"Noted. The memory service stores this conversation, so you can ask me about it later. {SIGNATURE}"
_NOT_FOUND = f"Nothing that I remember answers that. {SIGNATURE}"

_MEMORY_BLOCK = re.compile(r"<recalled_memory>(.*?)(?:</recalled_memory>|\Z)", re.DOTALL)
_DATE = re.compile(r"^\[[^\]]*\]\s*")
_SPEAKER = re.compile(r"^(?P<who>user|human|assistant|agent|ai)\s*:\s*", re.IGNORECASE)
_FIRST_PERSON = re.compile(r"\b(i|i'm|i\u2019m|i've|my|mine|we|our|we're)\b", re.IGNORECASE)
_ABOUT_ITSELF = re.compile(r"\b(your|yourself|who are you|what are you)\b", re.IGNORECASE)
_TELLING = re.compile(r"^(please\s+)?(remember|note|keep in mind|don't forget)\b", re.IGNORECASE)
_TASK = re.compile(
    r"^(please\s+)?(write|create|make|build|explain|summari[sz]e|translate|generate|list|show|give|draw|code|help|fix|find)\b",
    re.IGNORECASE,
)
_TIME_QUESTION = re.compile(
    r"\b(?:what|what's|which|what is|tell me)\s+(?:the\s+)?(?:current\s+)?(?:time|date|day)\b"
    r"(?:\s+(?:is\s+it|is\s+today|today|now|in|here)\b|\s*[?.!]*$)|\btoday's date\b",
    re.IGNORECASE,
)
_TIME_ZONE = re.compile(r"\b(?:[A-Z]\w+(?:/\w+)+|UTC)\b")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation. `name` is the tool's name in a message of the role `tool`, if it is known."""

    role: str
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the caller offers; `parameters` is its JSON schema."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """An answer that asks for a tool."""

    tool: str
    arguments: Mapping[str, Any]


def respond(messages: Sequence[Message], tools: Sequence[Tool] = (), *, must_call: str | None = None) -> Words | Call:
    """Answer a conversation. `must_call` is the name of the one tool that has to be called; else the rules decide.

    After the result of a tool the answer is always in words, so that no agent loops.
    """
    asked = next((message.text.strip() for message in reversed(messages) if message.role == "user"), "")
    results = _results(messages)
    if results:
        return Words(f"{' '.join(results)} {SIGNATURE}")
    forced = next((tool for tool in tools if tool.name == must_call), None)
    if forced:
        return Call(forced.name, arguments_for(_after_name(asked, forced.name) or asked, forced.parameters))
    return _named_call(asked, tools) or Words(_words(asked, messages))


def _results(messages: Sequence[Message]) -> list[str]:
    results: list[str] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        results.insert(0, f"{f'The tool {message.name}'.rstrip()} answered: {message.text}")
    return results


def _named_call(asked: str, tools: Sequence[Tool]) -> Call | None:
    for tool in sorted(tools, key=lambda tool: len(tool.name), reverse=True):  # `search_docs` before `search`
        words = _after_name(asked, tool.name)
        if words is not None:
            return Call(tool.name, arguments_for(words, tool.parameters))
    if _TIME_QUESTION.search(asked):
        for tool in tools:
            if {"time", "date", "datetime", "clock"} & set(re.split(r"[_\W]+", tool.name.casefold())):
                zone = _TIME_ZONE.search(asked)
                return Call(tool.name, arguments_for(zone.group() if zone else "", tool.parameters))
    return None


def _after_name(asked: str, name: str) -> str | None:
    """Return the words after the tool's name if the user names the tool, else None.

    A name that may be an ordinary word (`remember`) counts at the start of the message or after "use"; one that no
    sentence holds by chance (`memory_search`) counts anywhere.
    """
    spoken = re.escape(name).replace("_", r"[_\s-]")
    command = rf"(?:use|call|run|invoke|try|ask)\s+(?:the\s+|my\s+|your\s+)?(?:tool\s+)?{spoken}"
    patterns = [rf"^(?:please\s+)?(?:the\s+)?{spoken}\b", rf"\b{command}\b"]
    if not name.isalpha():
        patterns.append(rf"(?<!\w){re.escape(name)}(?!\w)")
    for pattern in patterns:
        if found := re.search(pattern, asked, re.IGNORECASE):
            return asked[found.end() :]
    return None


def _words(asked: str, messages: Sequence[Message]) -> str:
    if not asked or _TASK.match(asked):
        return _ABOUT
    if _TELLING.match(asked) and not asked.endswith("?"):
        return _NOTED
    if is_question(asked):
        if _ABOUT_ITSELF.search(asked) and not _FIRST_PERSON.search(asked):
            return _ABOUT
        if found := best_match(asked, (*_earlier(messages), *_recalled(messages))):
            return f'I remember this: "{found}" {SIGNATURE}'
        return _NOT_FOUND if _FIRST_PERSON.search(asked) else _ABOUT
    return _NOTED if _FIRST_PERSON.search(asked) else _ABOUT


def _earlier(messages: Sequence[Message]) -> Iterator[str]:
    """Yield what the user said before in this conversation, the latest first: a correction beats what it corrects."""
    said = [message.text for message in messages if message.role == "user"]
    return (_MEMORY_BLOCK.sub("", text) for text in reversed(said[:-1]))


def _recalled(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the remembered items, in the order given, without their dates and without our own answers."""
    for message in messages:
        for block in _MEMORY_BLOCK.findall(message.text):
            for line in block.splitlines():
                if not line.lstrip().startswith("- "):
                    continue
                text = _DATE.sub("", line.lstrip()[2:].strip())
                speaker = _SPEAKER.match(text)
                if (speaker and speaker["who"].casefold() not in {"user", "human"}) or SIGNATURE in text:
                    continue
                yield text[speaker.end() :] if speaker else text
