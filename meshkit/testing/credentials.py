"""Real credentials for tests: keys in a temporary directory, tokens that the real verifier accepts."""

from pathlib import Path

from meshkit.auth.issuer import TokenIssuer, create_keys
from meshkit.config import AuthSettings

__all__ = ["AUDIENCE", "ISSUER", "TestTokens"]

ISSUER = "agentmesh"
AUDIENCE = "agentmesh"


class TestTokens:
    """Issues tokens from keys of its own."""

    __test__ = False  # not a test, in spite of its name

    def __init__(self, directory: Path) -> None:
        self.files = create_keys(directory)
        self.issuer = TokenIssuer(self.files.private, issuer=ISSUER)

    def settings(self) -> AuthSettings:
        """Return settings under which a service believes these tokens."""
        return AuthSettings(auth_issuer=ISSUER, auth_audience=AUDIENCE, auth_jwks_file=self.files.public)

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
