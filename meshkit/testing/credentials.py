"""Real credentials for tests: keys in a temporary directory, tokens that the real verifier accepts."""

from pathlib import Path

from meshkit.auth.issuer import INTERNAL_ISSUER, TokenIssuer, create_keys
from meshkit.config import AuthSettings
from meshkit.context import SERVICE_PREFIX

__all__ = ["AUDIENCE", "ISSUER", "TestTokens"]

ISSUER = "agentmesh"
AUDIENCE = "agentmesh"


class TestTokens:
    """Issues tokens from keys of its own."""

    __test__ = False  # not a test, in spite of its name

    def __init__(self, directory: Path) -> None:
        self.files = create_keys(directory)
        self.issuer = TokenIssuer(self.files.private, issuer=ISSUER)
        self.internal_files = create_keys(directory / "internal")
        self.internal_issuer = TokenIssuer(self.internal_files.private, issuer=INTERNAL_ISSUER)

    def settings(self) -> AuthSettings:
        """Return settings under which a service believes these tokens."""
        return AuthSettings(
            auth_issuer=ISSUER,
            auth_audience=AUDIENCE,
            auth_jwks_file=self.files.public,
            auth_internal_jwks_file=self.internal_files.public,
        )

    def token(
        self,
        *scopes: str,
        tenant: str = "acme",
        subject: str = "ada",
        actor: str | None = None,
        lifetime: float = 300.0,
    ) -> str:
        """Return a token with these scopes."""
        return self.issuer.issue(
            audience=AUDIENCE, tenant=tenant, subject=subject, scopes=scopes, actor=actor, lifetime=lifetime
        )

    def service_token(
        self,
        *scopes: str,
        service: str,
        audience: str,
        tenant: str = "acme",
        subject: str | None = None,
        bound: str | None = None,
    ) -> str:
        """Return a token with which `service` calls the service `audience`, for a user or, without one, for itself."""
        name = f"{SERVICE_PREFIX}{service}"
        actor = None if subject is None else name
        return self.internal_issuer.issue(
            audience=audience, tenant=tenant, subject=subject or name, scopes=scopes, actor=actor, bound=bound
        )
