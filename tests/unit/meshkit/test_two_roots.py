"""Users and services are proven by different keys, and neither can pass as the other."""

from pathlib import Path

import pytest

from meshkit.auth.authenticator import build_authenticator
from meshkit.auth.issuer import INTERNAL_ISSUER, TokenIssuer, create_keys
from meshkit.config import AuthSettings
from meshkit.errors import Unauthenticated

SERVICE = "service:orchestrator"


@pytest.fixture
def users(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer(create_keys(tmp_path / "users").private, issuer="agentmesh")


@pytest.fixture
def services(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer(create_keys(tmp_path / "internal").private, issuer=INTERNAL_ISSUER)


async def prove(tmp_path: Path, token: str, *, service: str = "memory"):
    settings = AuthSettings(
        auth_jwks_file=tmp_path / "users" / "jwks.json", auth_internal_jwks_file=tmp_path / "internal" / "jwks.json"
    )
    return await build_authenticator(settings, service=service).authenticate({"authorization": f"Bearer {token}"})


def issue(issuer: TokenIssuer, audience: str, subject: str, actor: str | None = None) -> str:
    return issuer.issue(audience=audience, tenant="acme", subject=subject, scopes=["memory.read"], actor=actor)


async def test_a_user_is_proven_by_the_users_issuer(tmp_path: Path, users: TokenIssuer, services: TokenIssuer) -> None:
    caller = await prove(tmp_path, issue(users, "agentmesh", "ada"))
    assert (caller.subject, caller.service) == ("ada", None)


async def test_a_service_acts_for_a_user(tmp_path: Path, users: TokenIssuer, services: TokenIssuer) -> None:
    caller = await prove(tmp_path, issue(services, "memory", "ada", SERVICE))
    assert (caller.subject, caller.service) == ("ada", "orchestrator")


@pytest.mark.parametrize(
    ("key", "issuer", "audience", "subject", "actor"),
    [
        pytest.param("users", "agentmesh", "agentmesh", SERVICE, None, id="a user's issuer names a service"),
        pytest.param("users", "agentmesh", "agentmesh", "ada", SERVICE, id="a user's issuer names an acting service"),
        pytest.param("users", INTERNAL_ISSUER, "memory", "ada", SERVICE, id="a user's key signs for the mesh"),
        pytest.param("internal", INTERNAL_ISSUER, "agent", "ada", SERVICE, id="a token for another service"),
        pytest.param("internal", INTERNAL_ISSUER, "agentmesh", "ada", SERVICE, id="a service's token for the public"),
        pytest.param("internal", INTERNAL_ISSUER, "memory", "ada", None, id="a service's token that names none"),
        pytest.param("internal", "agentmesh", "agentmesh", "ada", None, id="the mesh's key signs for users"),
    ],
)
async def test_whoever_pretends_is_refused(
    tmp_path: Path, key: str, issuer: str, audience: str, subject: str, actor: str | None
) -> None:
    keys = {name: create_keys(tmp_path / name) for name in ("users", "internal")}
    token = issue(TokenIssuer(keys[key].private, issuer=issuer), audience, subject, actor)
    with pytest.raises(Unauthenticated):
        await prove(tmp_path, token)


async def test_without_a_name_no_service_is_believed(tmp_path: Path, users: TokenIssuer, services: TokenIssuer) -> None:
    with pytest.raises(Unauthenticated):
        await prove(tmp_path, issue(services, "memory", "ada", SERVICE), service="")


async def test_a_token_says_what_it_is_bound_to(tmp_path: Path, users: TokenIssuer, services: TokenIssuer) -> None:
    token = services.issue(
        audience="memory", tenant="acme", subject="ada", scopes=["memory.read"], actor=SERVICE, bound="run_1/2"
    )
    assert (await prove(tmp_path, token)).bound == "run_1/2"
    assert (await prove(tmp_path, issue(services, "memory", "ada", SERVICE))).bound == ""


async def test_a_bound_that_is_no_text_is_refused(tmp_path: Path, users: TokenIssuer, services: TokenIssuer) -> None:
    with pytest.raises(Unauthenticated):
        await prove(
            tmp_path,
            services.issue(
                audience="memory",
                tenant="acme",
                subject="ada",
                scopes=[],
                actor=SERVICE,
                bound=["run_1"],  # type: ignore[arg-type]
            ),
        )
