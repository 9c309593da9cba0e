"""The embedded Envoy on configurations of its own: one that serves, one that it refuses."""

import socket
from pathlib import Path

import httpx
import pytest

from meshctl.embedded.envoy import start_envoy, validate_envoy
from meshkit.errors import FailedPrecondition, Unavailable

CONFIGURATION = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response: {{status: 200, body: {{inline_string: "hello"}}}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def configuration(tmp_path: Path, port: int) -> Path:
    file = tmp_path / "envoy.yaml"
    file.write_text(CONFIGURATION.format(port=port))
    return file


async def test_it_serves_once_it_is_started(configuration: Path, port: int, tmp_path: Path) -> None:
    await validate_envoy(configuration, log=tmp_path / "check.log")
    proxy = await start_envoy(configuration, log=tmp_path / "envoy.log", listens_on=("127.0.0.1", port))
    try:
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "hello"
    finally:
        await proxy.stop()
    assert not proxy.running


async def test_a_wrong_configuration_is_refused_in_envoys_words(configuration: Path, tmp_path: Path) -> None:
    configuration.write_text(configuration.read_text().replace("stat_prefix", "start_prefix"))
    with pytest.raises(FailedPrecondition, match="start_prefix"):
        await validate_envoy(configuration, log=tmp_path / "check.log")


async def test_a_taken_port_is_refused(configuration: Path, port: int, tmp_path: Path) -> None:
    first = await start_envoy(configuration, log=tmp_path / "first.log", listens_on=("127.0.0.1", port))
    try:
        with pytest.raises(FailedPrecondition, match=f"127.0.0.1:{port} is in use"):
            await start_envoy(configuration, log=tmp_path / "second.log", listens_on=("127.0.0.1", port))
    finally:
        await first.stop()


async def test_one_that_ends_at_its_start_is_reported(configuration: Path, port: int, tmp_path: Path) -> None:
    configuration.write_text("static_resources: 7")
    with pytest.raises(Unavailable, match="static_resources"):
        await start_envoy(configuration, log=tmp_path / "envoy.log", listens_on=("127.0.0.1", port))
