"""The door's configuration: fills the template `envoy/envoy.yaml` and makes the descriptor file beside it.

Owns the placeholders. It starts nothing: `meshctl.embedded.envoy` does. A machine without `mesh up` uses the same
template through `write_edge`.
"""

import importlib
import ipaddress
import json
import pkgutil
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import certifi
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from meshctl.edge_refusals import refusals
from meshkit.errors import InvalidArgument

__all__ = ["EdgeSettings", "descriptor_set", "render", "write_edge"]

TEMPLATE = Path(__file__).resolve().parents[1] / "envoy" / "envoy.yaml"

_CONTRACTS = ("agentmesh.orchestrator.v1", "agentmesh.memory.v1")
"""The packages whose services the door serves."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What differs from one door to the next."""

    listen: str
    """`host:port`, the host an IP address."""
    orchestrator: Sequence[str]
    """Where the orchestrator's replicas are: `host:port` or `unix:/path`, at least one."""
    memory: Sequence[str]
    """Where the memory service's replicas are, likewise."""
    jwks: str | Path
    """The public keys of the users' issuer: a file, read once at start, or a URL, fetched again every five minutes."""
    issuer: str = "agentmesh"
    """The `iss` of a user's token."""
    audience: str = "agentmesh"
    """The `aud` of a user's token."""
    origins: Sequence[str] = ()
    """Web pages that may call, as browsers name them: `https://studio.example.com`. None by default."""
    calls_per_second: int = 200
    """Calls a second and client address, on average; a backstop, for the services limit each tenant."""
    calls_burst: int = 400
    """Calls that an address may make at once before the average counts."""
    admin: Path | None = None
    """A unix socket for Envoy's statistics and readiness, or none."""


def write_edge(settings: EdgeSettings, directory: Path) -> Path:
    """Write `envoy.yaml` and `agentmesh.binpb` into the directory; returns the path of the former.

    Raises InvalidArgument for an address that is none.
    """
    descriptors = directory.resolve() / "agentmesh.binpb"
    configuration = directory / "envoy.yaml"
    text = render(settings, descriptors)
    descriptors.write_bytes(descriptor_set())
    configuration.write_text(text)
    return configuration


def render(settings: EdgeSettings, descriptors: Path) -> str:
    """Return the configuration. `descriptors` is where the bytes of `descriptor_set` are. Raises InvalidArgument."""
    is_url = isinstance(settings.jwks, str)
    values: Mapping[str, Any] = {
        "LISTEN": _address(settings.listen),
        "ADMIN": _admin(settings.admin) if settings.admin else None,
        "ISSUER": settings.issuer,
        "AUDIENCE": settings.audience,
        "LOCAL_JWKS": None if is_url else {"filename": str(settings.jwks)},
        "REMOTE_JWKS": _remote_keys(str(settings.jwks)) if is_url else None,
        "JWKS_CLUSTER": _keys_cluster(str(settings.jwks) if is_url else None),
        "ORIGINS": [{"exact": origin} for origin in settings.origins],
        "CALLS_PER_SECOND": settings.calls_per_second,
        "CALLS_BURST": settings.calls_burst,
        "DESCRIPTORS": str(descriptors),
        "REFUSALS": refusals(),
        "ORCHESTRATOR_TYPE": _discovery(settings.orchestrator),
        "ORCHESTRATOR_ENDPOINTS": _endpoints(settings.orchestrator),
        "MEMORY_TYPE": _discovery(settings.memory),
        "MEMORY_ENDPOINTS": _endpoints(settings.memory),
    }
    # Every value goes in as JSON, which YAML contains: no value can break out of its place.
    return Template(TEMPLATE.read_text()).substitute({name: json.dumps(value) for name, value in values.items()})


def descriptor_set() -> bytes:
    """Return the compiled protos of the public services, from the generated code, so that it never differs from it."""
    files: dict[str, FileDescriptor] = {}
    for package in _CONTRACTS:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            if module.name.endswith("_pb2"):
                _collect(importlib.import_module(module.name).DESCRIPTOR, files)
    # What errors carry is packed, so no contract names it; the JSON door must still unpack it.
    for module_with_errors in (status_pb2, error_details_pb2):
        _collect(module_with_errors.DESCRIPTOR, files)
    result = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(result.file.add())
    return result.SerializeToString(deterministic=True)


def _collect(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    """Add a file after those that it imports: Envoy reads them in this order."""
    if file.name not in files:
        for imported in file.dependencies:
            _collect(imported, files)
        files[file.name] = file


def _endpoints(addresses: Sequence[str]) -> list[dict[str, Any]]:
    if not addresses:
        raise InvalidArgument("a service of the door has no address")
    return [{"endpoint": {"address": _address(each)}} for each in addresses]


def _discovery(addresses: Sequence[str]) -> str:
    """Return how Envoy finds the addresses: names need a resolver, which in turn knows no unix socket."""
    named = any(not each.startswith("unix:") and not _is_ip(_split(each)[0]) for each in addresses)
    return "STRICT_DNS" if named else "STATIC"


def _address(text: str) -> dict[str, Any]:
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, port = _split(text)
    return {"socket_address": {"address": host, "port_value": port}}


def _split(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(f"{text!r} is no address: write host:port or unix:/path")
    return host, int(port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _admin(socket: Path) -> dict[str, Any]:
    """Return an admin interface that shows and changes nothing: its user alone may open it, and only to read these."""
    return {
        "address": {"pipe": {"path": str(socket), "mode": 0o600}},
        "allow_paths": [{"exact": "/ready"}, {"prefix": "/stats"}],
    }


def _remote_keys(url: str) -> dict[str, Any]:
    return {
        "http_uri": {"uri": url, "cluster": "jwks", "timeout": "5s"},
        "cache_duration": {"seconds": 300},
        "async_fetch": {},  # fetched before the first call needs it, and again before it is stale
        "retry_policy": {"num_retries": 2},
    }


def _keys_cluster(url: str | None) -> dict[str, Any]:
    cluster: dict[str, Any] = {"name": "jwks", "type": "STATIC", "connect_timeout": "2s"}
    if url is None:
        return cluster
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 80)
    except ValueError:
        host, port = "", 0
    if not host or parts.scheme not in ("http", "https"):
        raise InvalidArgument(f"{url!r} is no URL of a key document: write https://host/path")
    address = {"socket_address": {"address": host, "port_value": port}}
    cluster["type"] = "STATIC" if _is_ip(host) else "STRICT_DNS"
    cluster["load_assignment"] = {
        "cluster_name": "jwks",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    }
    if secure:
        cluster["transport_socket"] = _verified_tls(host)
    return cluster


def _verified_tls(host: str) -> dict[str, Any]:
    """Return a TLS that believes only a certificate for this host, by known authorities."""
    authorities = ssl.get_default_verify_paths().cafile or certifi.where()
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "common_tls_context": {
                "validation_context": {
                    "trusted_ca": {"filename": authorities},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                }
            },
        },
    }
