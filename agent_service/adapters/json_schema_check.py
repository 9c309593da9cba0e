"""The program that checks one value against one JSON Schema: both come on standard input, the finding leaves on output.

It owns the bounds of that work, in time and memory, and trusts neither. It reads no files and asks no network: a schema
that refers to anything outside itself is refused. Run by path, so it imports nothing of ours.
"""

import json
import re
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_CPU_SECONDS = 5
_MEMORY_BYTES = 1024**3
_MOST = 5  # misfits: more would not help a model
_MAX_MESSAGE = 500  # characters: a message repeats what does not fit, however long that is


def main() -> None:
    """Read, check, write."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    asked = json.load(sys.stdin)
    schema, value = json.loads(asked["schema"]), json.loads(asked["value"])
    try:
        found = _check(schema, value)
    except MemoryError:
        found = {"refused": "it takes too much memory to check an answer against the schema"}
    except RecursionError:
        if value is None:  # so it is not the value that is deep
            found = {"refused": "the schema goes too deep, or refers to itself without end"}
        else:
            found = {"misfits": [{"path": "$", "rule": "depth", "message": "The value is nested too deeply."}]}
    json.dump(found, sys.stdout)


def _check(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
        here = Registry().with_resource("", DRAFT202012.create_resource(schema))
        for reference in _references(schema):
            if not reference.startswith("#"):
                return {"refused": "a schema may refer to parts of itself only, with a $ref that begins with #"}
            here.resolver().lookup(reference)
        # Its own registry would fetch what it does not know.
        errors = list(islice(Draft202012Validator(schema, registry=Registry()).iter_errors(value), _MOST))
    except SchemaError as error:
        return {"refused": f"the schema is not valid at {error.json_path[:_MAX_MESSAGE]} ({error.validator})"}
    except (Unresolvable, ValueError):
        return {"refused": "the schema refers to a part that it does not have"}
    except re.error:
        return {"refused": "the schema has a pattern that is no regular expression here"}
    return {
        "misfits": [
            {"path": error.json_path, "rule": str(error.validator), "message": error.message[:_MAX_MESSAGE]}
            for error in errors
        ]
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in {"$ref", "$dynamicRef"} and isinstance(each, str):
                yield each
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


if __name__ == "__main__":
    main()
