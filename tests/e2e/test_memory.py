"""Memory on the command line of a whole mesh: corrected, explained, shown, exported, purged and erased."""

import json
import stat
import time
from pathlib import Path

from tests.e2e.running import RunningMesh


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_correction_supersedes_and_the_old_fact_is_explained(offline_mesh: RunningMesh) -> None:
    def mesh(*arguments: str) -> str:
        done = offline_mesh.cli("memory", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    fact = mesh("put", "home", "Lyon", "--category", "profile", "--valid-from", "2015-01-01").strip()
    assert mesh("supersede", fact, "Paris", "--reason", "moved", "--valid-from", "2024-05-01").strip() == fact
    assert "Paris" in mesh("facts")
    assert "Lyon" not in mesh("facts")
    assert "Lyon" in mesh("facts", "--at", "2020-01-01")
    told = mesh("explain", fact)
    for word in ("home: Paris", "client", "true from 2024-05-01", "because: moved", "Lyon", "stated"):
        assert word in told, told
    shown = mesh("context", "Where is my home?")
    assert "Paris" in shown
    prompt = mesh("context", "Where is my home?", "--prompt")
    assert prompt.startswith("<recalled_memory>")
    assert "fact (told by the user): home: Paris" in prompt


def test_what_somebody_corrects_in_a_talk_supersedes_what_they_said_before(offline_mesh: RunningMesh) -> None:
    def mesh(*arguments: str) -> str:
        done = offline_mesh.cli(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def facts_say(text: str) -> dict:
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            found = [fact for fact in rows(mesh("memory", "facts", "--json")) if text in fact["value"]]
            if found:
                return found[0]
        raise AssertionError(mesh("memory", "extractions"))

    mesh("memory", "settings", "--extraction", "on")
    try:
        mesh("chat", "I live in Lyon.")
        before = facts_say("Lyon")
        mesh("chat", "I moved to Paris.")
        after = facts_say("Paris")
        assert (after["id"], after["origin"]) == (before["id"], "FACT_ORIGIN_EXTRACTION")
        told = mesh("memory", "explain", after["id"])
        assert "Lyon" in told
        assert "I moved to Paris" in told
        assert "Lyon" not in mesh("memory", "facts")
        mesh("memory", "erase", after["user"], "--yes")
        assert not rows(mesh("memory", "facts", "--json"))
        assert not rows(mesh("memory", "export"))
    finally:
        mesh("memory", "settings", "--extraction", "off")


def test_everything_can_be_taken_out_and_erased(offline_mesh: RunningMesh, tmp_path: Path) -> None:
    def mesh(*arguments: str, code: int = 0) -> str:
        done = offline_mesh.cli("memory", *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    mesh("put", "hobby", "fencing", "--source", "a form")
    paper = tmp_path / "notes.md"
    paper.write_text("# Fencing\n\nThe club meets on Mondays.")
    mesh("ingest", str(paper))
    assert "club meets" in mesh("search", "When does the club meet?")
    file = tmp_path / "export.jsonl"
    mesh("export", "--output", str(file))
    records = rows(file.read_text())
    assert {"fencing"} <= {record["fact"]["fact"]["value"] for record in records if "fact" in record}
    assert any("document" in record for record in records)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists" in mesh("export", "--output", str(file), code=2)
    assert "set back 1 facts" in mesh("purge", "a form")
    assert "fencing" not in mesh("facts")
    user = next(record["document"]["user"] for record in records if "document" in record)
    assert "nothing is left" in mesh("erase", user, "--yes")
    assert "0 records" in mesh("export")
    mesh("erase", "somebody-else", "--yes", code=4)
