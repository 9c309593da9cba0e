"""The arguments of a tool call, taken from the user's words by the tool's JSON schema.

Owns that reading and nothing else. It is pure, and it invents nothing: what the words do not hold and the schema gives
no default for is left out, and the tool then says what it misses.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["arguments_for"]

_CONNECTIVES = re.compile(
    r"^(?:(?:to|for|with|and|that|on|about|please|tool)\b|[\s:,]|[-\u2013\u2014](?!\d))+",
    re.IGNORECASE,
)
_FORMULA_NAMES = frozenset({"expression", "formula", "calculation"})
_FORMULA = re.compile(r"(?:\b[a-z]\w*\(|[-+]?[\d.(]).*", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def arguments_for(words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for a tool with the parameters `schema`, from the `words` that follow its name.

    In this order: a JSON object is taken as it is; `name=value` pairs fill the parameters they name; what is left fills
    the first text parameter (a required one before others); a choice is found among the words, and so is a number, but
    only one that is required: a number in a search is part of the search.
    """
    given = _json_object(words)
    if given is not None:
        return given
    properties = {name: rule for name, rule in _mapping(schema.get("properties")).items() if isinstance(rule, Mapping)}
    listed = schema.get("required")
    required = [name for name in properties if name in listed] if isinstance(listed, list) else []
    found, rest = _pairs(words, properties)
    rest = _CONNECTIVES.sub("", rest).strip().rstrip("?.!").strip()
    for name in (*required, *(name for name in properties if name not in required)):
        if name in found:
            continue
        rule = properties[name]
        value = _value(name, rule, rest)
        if value is not None and (name in required or not isinstance(value, int | float)):
            found[name] = value
            if _kind(rule) in {"string", "array"} and "enum" not in rule:
                rest = ""  # said once, meant once
        elif name in required and "default" in rule:
            found[name] = rule["default"]
    return found


def _value(name: str, rule: Mapping[str, Any], words: str) -> Any:
    choices = rule.get("enum")
    if isinstance(choices, list):
        return next((choice for choice in choices if _spoken(str(choice), words)), None)
    match _kind(rule):
        case "string" if name in _FORMULA_NAMES and (formula := _FORMULA.search(words)):
            return formula.group()
        case "string":
            return words or None
        case "integer" | "number" as kind:
            number = _NUMBER.search(words)
            return _converted(number.group(), kind) if number else None
        case "array" if _kind(_mapping(rule.get("items"))) == "string":
            return [words] if words else None
    return None


def _spoken(choice: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", words, re.IGNORECASE) is not None


def _pairs(words: str, properties: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """Take `name=value` pairs of known names out of the words; a value with spaces stands in quotes."""
    found: dict[str, Any] = {}

    def take(pair: "re.Match[str]") -> str:
        name, value = pair["name"], pair["quoted"] if pair["quoted"] is not None else pair["plain"]
        converted = _converted(value, _kind(properties[name])) if name in properties else None
        if converted is None:
            return pair.group()
        found[name] = converted
        return ""

    rest = re.sub(r"\b(?P<name>[A-Za-z_]\w*)\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>[^\s,\"]+)),?", take, words)
    return found, rest


def _converted(text: str, kind: str) -> Any:
    """Return the text as a value of that JSON type, or None if it is none."""
    if kind == "string":
        return text
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text) if math.isfinite(float(text)) else None  # JSON has no infinity
    except ValueError:
        return None
    return {"true": True, "false": False}.get(text.casefold()) if kind == "boolean" else None


def _kind(rule: Mapping[str, Any]) -> str:
    """Return the JSON type of a parameter; of an optional one (`anyOf` with null) the type it has when it is given."""
    kind = rule.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    choices = rule.get("anyOf")
    if kind is None and isinstance(choices, list):
        kinds = [_kind(choice) for choice in choices if isinstance(choice, Mapping)]
        kind = next((one for one in kinds if one != "null"), None)
    return kind if isinstance(kind, str) else "string"


def _json_object(words: str) -> dict[str, Any] | None:
    start = words.find("{")
    if start < 0 or words[:start].strip(" :,-"):
        return None
    try:
        value = json.loads(words[start:])
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
