"""Arguments read from words, by the schemas that frameworks really send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl.embedded.arguments import arguments_for

OPTIONAL_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


@pytest.mark.parametrize(("words", "schema", "expected"), [
    ("anything", {}, {}),
    ("anything", {"properties": {}}, {}),
    (": hello there.", {"properties": {"q": {"type": "string"}}, "required": ["q"]}, {"q": "hello there"}),
    ("hello", {"properties": {"q": OPTIONAL_TEXT}}, {"q": "hello"}),
    ("", {"properties": {"q": OPTIONAL_TEXT}}, {}),
    ("", {"properties": {"q": {"type": "string", "default": "x"}}, "required": ["q"]}, {"q": "x"}),
    ("in 5 days", {"properties": {"days": {"type": "integer"}}, "required": ["days"]}, {"days": 5}),
    ("in 5 days", {"properties": {"days": {"type": "integer"}}}, {}),
    ("1.5", {"properties": {"x": {"type": "number"}}, "required": ["x"]}, {"x": 1.5}),
    ("in Celsius please", {"properties": {"unit": {"enum": ["fahrenheit", "celsius"]}}}, {"unit": "celsius"}),
    ("tea", {"properties": {"tags": {"type": "array", "items": {"type": "string"}}}}, {"tags": ["tea"]}),
    ("loud=true n=3 x=no", {"properties": {"loud": {"type": "boolean"}, "n": {"type": "integer"}}},
     {"loud": True, "n": 3}),
    ("b=1", {"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"a": "b=1"}),
    ("x=nan", {"properties": {"x": {"type": "number"}}}, {}),
    ('{"x": [1, {"y": null}]}', {"properties": {"x": {}}}, {"x": [1, {"y": None}]}),
    ("{broken", {"properties": {"q": {"type": "string"}}, "required": ["q"]}, {"q": "{broken"}),
    ("hello", {"properties": "nonsense", "required": 7}, {}),
    ("hello", {"properties": {"q": "nonsense", "r": {"type": ["null", "string"]}}}, {"r": "hello"}),
])  # fmt: skip
def test_arguments(words: str, schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert arguments_for(words, schema) == expected


KEYWORDS = ["type", "enum", "anyOf", "items", "default", "properties", "required", "q"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["string", "integer", "array"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner),
    max_leaves=12,
)


@given(words=st.text(max_size=60), schema=st.dictionaries(st.sampled_from(KEYWORDS), anything))
def test_no_schema_and_no_words_break_it(words: str, schema: dict[str, Any]) -> None:
    json.dumps(arguments_for(words, schema), allow_nan=False)
