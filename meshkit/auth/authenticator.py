"""From the headers of a request to its caller: a token or an API key, in `authorization: Bearer` or `x-api-key`."""

from collections.abc import Mapping

import httpx

from meshkit.auth.api_keys import PREFIX, ApiKeyVerifier, FileApiKeys
from meshkit.auth.keys import FileKeys, KeySource, UrlKeys
from meshkit.auth.tokens import TokenVerifier, refusal
from meshkit.config import AuthSettings, ConfigError
from meshkit.context import CallContext

__all__ = ["HeaderAuthenticator", "build_authenticator"]


class HeaderAuthenticator:
    """Tries what the request carries; without an API-key verifier, keys prove nobody."""

    def __init__(self, tokens: TokenVerifier, api_keys: ApiKeyVerifier | None = None) -> None:
        self._tokens, self._api_keys = tokens, api_keys

    async def authenticate(self, metadata: Mapping[str, str]) -> CallContext:
        """Return the caller. Raises Unauthenticated, always with the same text."""
        scheme, _, bearer = metadata.get("authorization", "").partition(" ")
        credential = bearer.strip() if scheme.lower() == "bearer" else metadata.get("x-api-key", "")
        if not credential:
            raise refusal()
        if not credential.startswith(PREFIX):
            return await self._tokens.verify(credential)
        if self._api_keys is None:
            raise refusal()
        return self._api_keys.verify(credential)


def build_authenticator(settings: AuthSettings, http: httpx.AsyncClient | None = None) -> HeaderAuthenticator:
    """Return the authenticator that the settings describe. Raises ConfigError if no keys are named.

    `http` fetches the JWKS; its owner closes it. It is needed with a URL only.
    """
    keys: KeySource
    if settings.auth_jwks_file is not None:
        keys = FileKeys(settings.auth_jwks_file)
    elif settings.auth_jwks_url is not None:
        keys = UrlKeys(settings.auth_jwks_url, http or httpx.AsyncClient())
    else:
        raise ConfigError("set MESH_AUTH_JWKS_FILE or MESH_AUTH_JWKS_URL: the mesh never runs without authentication")
    tokens = TokenVerifier(keys, issuer=settings.auth_issuer, audience=settings.auth_audience)
    api_keys = ApiKeyVerifier(FileApiKeys(settings.auth_api_keys_file)) if settings.auth_api_keys_file else None
    return HeaderAuthenticator(tokens, api_keys)
