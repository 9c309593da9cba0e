"""From the headers of a request to its caller: a token or an API key, in `authorization: Bearer` or `x-api-key`.

Owns the two roots of trust. Users' tokens come from the configured issuer, which may be anybody's; tokens of the mesh's
own services come from the mesh's own issuer, under another key. Neither can make what only the other may say: a user's
token never names a service, and a service's token always does.
"""

from collections.abc import Mapping

import httpx

from meshkit.auth.api_keys import PREFIX, ApiKeyVerifier, FileApiKeys
from meshkit.auth.issuer import INTERNAL_ISSUER
from meshkit.auth.keys import FileKeys, KeySource, UrlKeys
from meshkit.auth.tokens import TokenVerifier, claimed_issuer, refusal
from meshkit.config import AuthSettings, ConfigError
from meshkit.context import CallContext

__all__ = ["HeaderAuthenticator", "build_authenticator"]


class HeaderAuthenticator:
    """Tries what the request carries; without an API-key verifier, keys prove nobody."""

    def __init__(
        self, users: TokenVerifier, api_keys: ApiKeyVerifier | None = None, services: TokenVerifier | None = None
    ) -> None:
        self._users, self._api_keys, self._services = users, api_keys, services

    async def authenticate(self, metadata: Mapping[str, str]) -> CallContext:
        """Return the caller. Raises Unauthenticated, always with the same text."""
        scheme, _, bearer = metadata.get("authorization", "").partition(" ")
        credential = bearer.strip() if scheme.lower() == "bearer" else metadata.get("x-api-key", "")
        if not credential:
            raise refusal()
        if credential.startswith(PREFIX):
            if self._api_keys is None:
                raise refusal()
            return self._api_keys.verify(credential)
        from_service = self._services is not None and claimed_issuer(credential) == self._services.issuer
        caller = await (self._services if from_service else self._users).verify(credential)  # type: ignore[union-attr]
        if (caller.service is not None) != from_service:
            raise refusal()
        return caller


def build_authenticator(
    settings: AuthSettings, http: httpx.AsyncClient | None = None, *, service: str = ""
) -> HeaderAuthenticator:
    """Return the authenticator that the settings describe. Raises ConfigError if no keys are named.

    `http` fetches the JWKS; its owner closes it. It is needed with a URL only. `service` is this service's name, the
    audience of the tokens that its peers make for it; without one it believes no peer.
    """
    keys: KeySource
    if settings.auth_jwks_file is not None:
        keys = FileKeys(settings.auth_jwks_file)
    elif settings.auth_jwks_url is not None:
        keys = UrlKeys(settings.auth_jwks_url, http or httpx.AsyncClient())
    else:
        raise ConfigError("set MESH_AUTH_JWKS_FILE or MESH_AUTH_JWKS_URL: the mesh never runs without authentication")
    users = TokenVerifier(keys, issuer=settings.auth_issuer, audience=settings.auth_audience)
    api_keys = ApiKeyVerifier(FileApiKeys(settings.auth_api_keys_file)) if settings.auth_api_keys_file else None
    services = None
    if service and settings.auth_internal_jwks_file is not None:
        own_keys = FileKeys(settings.auth_internal_jwks_file)
        services = TokenVerifier(own_keys, issuer=INTERNAL_ISSUER, audience=service)
    return HeaderAuthenticator(users, api_keys, services)
