"""Twenty shapes of secrets planted where they could leak; not one comes through."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from meshkit.context import CallContext, use
from meshkit.redaction import REDACTED, is_secret_name, redact, redact_value
from meshkit.telemetry.logs import setup_logs

CANARIES = [
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
    "mesh_0123456789abcdef_Zm9vYmFyY2FuYXJ5Zm9vYmFyY2FuYXJ5",
    "sk-proj-canary0123456789",
    "sk-ant-api03-canary0123456789",
    "sk_live_canary0123456789",
    "ghp_canary0123456789canary0123456789",
    "github_pat_canary0123456789",
    "glpat-canary0123456789",
    "xoxb-canary-0123456789",
    "hf_canary0123456789",
    "AKIAIOSFODNN7CANARY",
    "AIzaSyCanary0123456789canary0123",
    "Bearer canary-opaque-token",
    "Basic Y2FuYXJ5OmNhbmFyeQ==",
    "postgres://mesh:canary@db/mesh",
    "redis://:canary@cache:6379/0",
    "https://user:canary@example.com/x",
    "password=canary-secret",
    '{"api_key": "canary-secret"}',
    "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
]
MARKS = ("canary", "CANARY", "Y2FuYXJ5", "Zm9v", "c2lnbmF0dXJl", "eyJzdWIi")


def clean(text: str) -> bool:
    return not any(mark.lower() in text.lower() for mark in MARKS)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    setup_logs("test", "debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("canary", CANARIES)
def test_a_secret_is_taken_out_of_any_text(canary: str) -> None:
    assert clean(redact(f"before {canary} after"))
    assert redact(f"before {canary} after").startswith("before ")


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("planted", CANARIES)
def test_a_secret_reaches_no_log_line(lines: io.StringIO, planted: str) -> None:
    log = structlog.get_logger("test")
    log.info("event", text=planted, nested={"deep": [planted, {"x": planted}]}, authorization="canary", raw=b"canary")
    log.info("message with " + planted)  # noqa: G003 - what a careless caller does
    logging.getLogger("library").warning("says %s", planted)
    for write in (log.exception, logging.getLogger("library").exception):
        try:
            fail(planted)
        except ValueError:
            write("failed")
    printed = lines.getvalue()
    assert len(printed.splitlines()) == 5
    assert "Traceback" in printed
    assert clean(printed)


@pytest.mark.parametrize(
    "name", ["token", "access_token", "client_secret", "password", "Authorization", "x-api-key", "apiKey", "cookie"]
)
def test_a_field_is_secret_by_its_name(name: str) -> None:
    assert is_secret_name(name)
    assert redact_value({name: "plain"}) == {name: REDACTED}


@pytest.mark.parametrize("name", ["page_token", "input_tokens", "max_tokens", "token_count", "user", "monkey"])
def test_harmless_names_stay(name: str) -> None:
    assert redact_value({name: "plain"}) == {name: "plain"}


def test_ordinary_text_stays_as_it_is() -> None:
    text = "run_01JAXYZ of user ada used 512 tokens at https://example.com/a?b=c; the secret of good bread is time"
    assert redact(text) == text


def test_a_line_is_json_with_the_tenant_of_the_call(lines: io.StringIO) -> None:
    with use(CallContext("acme", "ada")):
        structlog.get_logger("here").info("run_created", run="run_1")
    entry = json.loads(lines.getvalue())
    assert entry["event"] == "run_created"
    assert (entry["tenant"], entry["service"], entry["level"], entry["logger"]) == ("acme", "test", "info", "here")


def test_levels_are_kept(lines: io.StringIO) -> None:
    logging.getLogger().setLevel("WARNING")
    structlog.get_logger("here").info("quiet")
    structlog.get_logger("here").warning("loud")
    assert "quiet" not in lines.getvalue()
    assert "loud" in lines.getvalue()
