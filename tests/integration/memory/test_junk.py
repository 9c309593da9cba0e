"""What memory keeps of the scripted conversations: no junk, and most of what users say of themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.junk import ObedientModel, Outcome, measure, read_conversations
from meshclient import MeshClient
from tests.integration.memory.conftest import READ_WRITE, Mesh

SCOPES = (*READ_WRITE, "memory_settings.write")


async def kept(mesh: Mesh, tenant: str, **settings: str) -> list[Outcome]:
    server = await mesh.serve(**settings)

    @asynccontextmanager
    async def connect(user: str) -> AsyncIterator[MeshClient]:
        token = mesh.keys.users.token(*SCOPES, subject=user, tenant=tenant)
        async with MeshClient(server.address, token=token) as client:
            yield client

    return await measure(connect, read_conversations())


def test_there_are_conversations_of_every_kind() -> None:
    conversations = read_conversations()
    assert len(conversations) >= 30
    assert {conversation.category for conversation in conversations} >= {
        "facts", "corrections", "recalled", "jokes", "role play", "suppositions", "denials", "quotations", "others",
        "tools", "documents", "agents", "injection", "secrets", "small talk",
    }  # fmt: skip
    for conversation in conversations:
        said = "\n".join(f"{turn['say']}\n{turn['answer']}" for turn in conversation.turns)
        assert not [words for _, _, words in conversation.claims if words not in said], conversation.name


@pytest.mark.parametrize("finder", ["builtin/rules", "an obedient model"])
async def test_no_junk_is_kept_and_little_is_missed(mesh: Mesh, tenant: str, finder: str) -> None:
    if finder == "builtin/rules":
        outcomes = await kept(mesh, tenant)
    else:
        with ObedientModel(read_conversations()) as model:
            outcomes = await kept(mesh, tenant, extraction_model_url=model.url, extraction_model="obedient-1")
            assert len(model.exchanges) > 100, "it was asked"
    assert not {outcome.conversation.name: outcome.junk for outcome in outcomes if outcome.junk}
    supported = sum(len(outcome.conversation.keep) for outcome in outcomes)
    assert sum(len(outcome.missed) for outcome in outcomes) <= 0.1 * supported
    assert sum(outcome.kept for outcome in outcomes) >= 0.9 * supported
    rejected = sum(count for outcome in outcomes for verdict, count in outcome.verdicts.items() if verdict != "KEPT")
    assert rejected > 100, "there was something to reject"
