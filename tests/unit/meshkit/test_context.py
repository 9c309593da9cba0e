"""Who is calling, and for whom."""

import asyncio
import time

import pytest

from meshkit import context
from meshkit.context import CallContext
from meshkit.errors import PermissionDenied

ADA = CallContext(tenant="acme", subject="ada", scopes=frozenset({"runs.read"}))
BACK_END = CallContext(tenant="acme", subject="shop", scopes=frozenset({"users.act_as"}))


def test_a_request_is_about_its_caller_unless_it_may_act_for_others() -> None:
    assert ADA.acting_user() == ADA.acting_user("ada") == "ada"
    assert BACK_END.acting_user("bob") == "bob"
    assert BACK_END.acting_user("") == "shop"
    with pytest.raises(PermissionDenied) as caught:
        ADA.acting_user("bob")
    assert caught.value.metadata == {"scope": "users.act_as"}


def test_a_missing_scope_is_named() -> None:
    ADA.require_scope("runs.read")
    with pytest.raises(PermissionDenied) as caught:
        ADA.require_scope("runs.write")
    assert caught.value.reason == "SCOPE_MISSING"
    assert caught.value.metadata == {"scope": "runs.write"}


@pytest.mark.parametrize(
    ("subject", "actor", "service"),
    [
        ("ada", None, None),
        ("service:memory", None, "memory"),
        ("ada", "service:orchestrator", "orchestrator"),
        ("ada", "shop", None),
        ("service:memory", "shop", None),
    ],
)
def test_a_service_is_known_by_who_makes_the_call(subject: str, actor: str | None, service: str | None) -> None:
    assert CallContext("acme", subject, actor=actor).service == service


def test_the_deadline_is_counted_down_and_can_be_left_behind() -> None:
    assert ADA.remaining() is None
    late = CallContext("acme", "ada", deadline=time.monotonic() - 1)
    assert late.remaining() == 0
    soon = CallContext("acme", "ada", deadline=time.monotonic() + 5)
    remaining = soon.remaining()
    assert remaining is not None
    assert 4.5 < remaining <= 5
    assert soon.detached().remaining() is None
    assert soon.detached().subject == "ada"


async def test_each_task_has_its_own_caller() -> None:
    async def who(caller: CallContext) -> str:
        with context.use(caller):
            await asyncio.sleep(0)
            return context.current().subject

    assert await asyncio.gather(who(ADA), who(BACK_END)) == ["ada", "shop"]
    assert context.current_or_none() is None
    with pytest.raises(LookupError):
        context.current()
