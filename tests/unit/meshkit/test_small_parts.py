"""Token buckets, named queries, service configs, transport constants, addresses."""

from pathlib import Path

import pytest

from meshkit.config import ConfigError
from meshkit.rpc.channel import open_channel
from meshkit.rpc.interceptors.limits import TokenBuckets
from meshkit.rpc.service_config import load_service_config, timeouts_of
from meshkit.rpc.transport import TRANSPORT
from meshkit.sql.queries import parse_queries
from meshkit.testing.clock import FrozenClock


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    clock = FrozenClock(0.0)
    buckets = TokenBuckets(rate=10, burst=3, clock=clock)
    assert [buckets.take("acme") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("acme") == pytest.approx(0.1)
    assert buckets.take("zeta") == 0
    clock.advance(0.1)
    assert buckets.take("acme") == 0
    assert buckets.take("acme") == pytest.approx(0.1)
    clock.advance(1000)
    assert [buckets.take("acme") > 0 for _ in range(4)] == [False, False, False, True]


def test_buckets_are_bounded_and_forget_the_longest_unseen() -> None:
    buckets = TokenBuckets(rate=0.001, burst=1, clock=FrozenClock())
    buckets.take("first")
    for number in range(buckets.MAX_KEYS):
        buckets.take(str(number))
    assert buckets.take("first") == 0
    assert buckets.take(str(buckets.MAX_KEYS - 1)) > 0


def test_the_server_allows_the_pings_that_the_client_sends() -> None:
    client, server = dict(TRANSPORT.channel_options()), dict(TRANSPORT.server_options())
    assert int(server["grpc.http2.min_ping_interval_without_data_ms"]) < int(client["grpc.keepalive_time_ms"])
    assert client["grpc.http2.ping_timeout_ms"] == client["grpc.keepalive_timeout_ms"]
    assert client["grpc.http2.bdp_probe"] == 0
    assert server["grpc.so_reuseport"] == 0
    assert int(client["grpc.keepalive_time_ms"]) >= 10_000  # gRPC raises lower values to this floor


@pytest.mark.parametrize("noun", ["memory", "agent", "orchestrator"])
def test_every_service_config_is_found_and_has_timeouts(noun: str) -> None:
    config = load_service_config(noun)
    timeouts = timeouts_of(config)
    assert timeouts
    assert all(path.startswith(f"/agentmesh.{noun}.v1.") and seconds > 0 for path, seconds in timeouts.items())
    assert config["retryThrottling"] == {"maxTokens": 10, "tokenRatio": 0.1}


def test_a_service_config_lies_beside_the_messages_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "agentmesh" / "mars" / "v1"
    package.mkdir(parents=True)
    (package / "mars_service_config.json").write_text('{"methodConfig": []}')
    monkeypatch.syspath_prepend(str(tmp_path))
    import agentmesh  # noqa: PLC0415 - extended for this test

    monkeypatch.setattr(agentmesh, "__path__", [*agentmesh.__path__, str(tmp_path / "agentmesh")])
    assert load_service_config("mars") == {"methodConfig": []}


def test_queries_are_named_and_complete() -> None:
    text = "-- one --\n-- A sentence.\nSELECT 1;\n\n-- two --\nSELECT 2\nFROM t\n"
    assert parse_queries(text) == {"one": "SELECT 1;", "two": "SELECT 2\nFROM t"}
    for wrong in ("-- a --\nSELECT 1\n-- a --\nSELECT 2", "-- a --\n-- only words\n"):
        with pytest.raises(ValueError, match="a is given twice or empty"):
            parse_queries(wrong)


async def test_several_addresses_are_addresses() -> None:
    async with open_channel("127.0.0.1:1,127.0.0.2:1", {}), open_channel("localhost:1", {}):
        pass
    with pytest.raises(ConfigError, match="IPv4"):
        open_channel("one:1,two:1", {})
