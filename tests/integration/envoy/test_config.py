"""The configuration itself: Envoy accepts it, and it says what the protos say."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agentmesh
import pytest
import yaml
from agentmesh.policy.v1 import method_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from meshctl.edge import TEMPLATE, EdgeSettings, descriptor_set, render, write_edge
from meshctl.embedded.envoy import validate_envoy
from meshkit.auth.issuer import create_keys
from meshkit.errors import InvalidArgument
from meshkit.rpc.service_config import load_service_config, timeouts_of

LOCAL = EdgeSettings(
    listen="127.0.0.1:8080", orchestrator=["127.0.0.1:50051"], memory=["127.0.0.1:50052"], jwks=Path("jwks.json")
)


def methods() -> Iterator[MethodDescriptor]:
    generated = Path(next(iter(agentmesh.__path__)))
    for file in sorted(generated.rglob("*_service_pb2.py")):
        module = ".".join(file.relative_to(generated.parent).with_suffix("").parts)
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            yield from service.methods


METHODS = list(methods())


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def manager(settings: EdgeSettings = LOCAL) -> dict[str, Any]:
    config = yaml.safe_load(render(settings, Path("agentmesh.binpb")))
    (listener,) = config["static_resources"]["listeners"]
    return dict(listener["filter_chains"][0]["filters"][0]["typed_config"])


def routed(path: str) -> dict[str, Any] | None:
    """Return the action of the first route that a gRPC call of this path takes."""
    for route in manager()["route_config"]["virtual_hosts"][0]["routes"]:
        match = route["match"]
        if match.get("path") == path or ("prefix" in match and path.startswith(match["prefix"])):
            return route.get("route")
    return None


@pytest.mark.parametrize("settings", [
    {},
    {"memory": ["unix:/run/agentmesh/memory.sock", "10.0.0.7:50052"], "origins": ["https://studio.example.com"]},
    {"orchestrator": ["orchestrator.internal:50051", "[::1]:50051"], "listen": "[::1]:8080"},
    {"jwks": "https://issuer.example.com/.well-known/jwks.json"},
    {"jwks": "http://127.0.0.1:9000/jwks"},
    {"issuer": 'https://issuer/"}]\n${LISTEN} %A% #', "admin": Path("/tmp/agentmesh-admin.sock")},
])  # fmt: skip
async def test_envoy_accepts_it(settings: dict[str, Any], tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    fields = {name: getattr(LOCAL, name) for name in ("listen", "orchestrator", "memory")}
    edge = EdgeSettings(**{**fields, "jwks": keys.public, **settings})
    await validate_envoy(write_edge(edge, tmp_path), log=tmp_path / "envoy.log")


def test_values_stay_in_their_place() -> None:
    hostile = 'https://issuer/"}]\n${LISTEN} %A% #'
    edge = EdgeSettings("127.0.0.1:1", ["127.0.0.1:2"], ["127.0.0.1:3"], Path("k"), issuer=hostile)
    (jwt,) = [each for each in manager(edge)["http_filters"] if each["name"].endswith("jwt_authn")]
    assert jwt["typed_config"]["providers"]["users"]["issuer"] == hostile


@pytest.mark.parametrize("settings", [
    {"orchestrator": []},
    {"memory": ["nowhere"]},
    {"listen": "127.0.0.1:99999"},
    {"jwks": "ftp://issuer/keys"},
    {"jwks": "https:///keys"},
])  # fmt: skip
def test_a_wrong_address_is_told(settings: dict[str, Any]) -> None:
    fields = {name: getattr(LOCAL, name) for name in ("listen", "orchestrator", "memory", "jwks")}
    with pytest.raises(InvalidArgument):
        render(EdgeSettings(**{**fields, **settings}), Path("d"))


def test_the_template_explains_every_placeholder() -> None:
    text = TEMPLATE.read_text()
    names = set(re.findall(r"\$\{(\w+)\}", text))
    head = text[: text.index("\nadmin:")]
    assert names
    assert not [name for name in names if not re.search(rf"\b{name}\b", head)]


@pytest.mark.parametrize("method", METHODS, ids=path_of)
def test_a_method_is_routed_if_it_is_public(method: MethodDescriptor) -> None:
    policy = method.GetOptions().Extensions[method_pb2.method]
    action = routed(path_of(method))
    if policy.internal:
        assert action is None
        return
    assert action is not None, "no route leads to it"
    assert action["cluster"] == method.containing_service.full_name.split(".")[1]
    assert method.GetOptions().HasExtension(annotations_pb2.http), "it has no place on the JSON door"
    bound = float(action["max_stream_duration"]["grpc_timeout_header_max"].removesuffix("s"))
    configs = [load_service_config(noun) for noun in ("orchestrator", "memory")]
    contract = {path: seconds for config in configs for path, seconds in timeouts_of(config).items()}
    assert bound >= contract[path_of(method)], "the door ends calls earlier than their contract does"
    if method.server_streaming:
        assert action["timeout"] == "0s"
        assert float(action["idle_timeout"].removesuffix("s")) > 20, "two heartbeats may be missed"


def test_the_json_door_serves_exactly_the_public_services() -> None:
    (transcoder,) = [each for each in manager()["http_filters"] if each["name"].endswith("json_transcoder")]
    public = {
        method.containing_service.full_name
        for method in METHODS
        if not method.GetOptions().Extensions[method_pb2.method].internal
    }
    assert set(transcoder["typed_config"]["services"]) == public


def test_the_descriptors_stand_alone_and_in_order() -> None:
    known: set[str] = set()
    for file in FileDescriptorSet.FromString(descriptor_set()).file:
        assert set(file.dependency) <= known
        known.add(file.name)
    assert "google/rpc/error_details.proto" in known


def test_no_refusal_tells_a_secret_or_an_address() -> None:
    for mapper in manager()["local_reply_config"]["mappers"]:
        assert "LOCAL_REPLY_BODY" not in json.dumps(mapper)


def test_the_admin_pages_are_off_unless_asked_for() -> None:
    assert yaml.safe_load(render(LOCAL, Path("d")))["admin"] is None
