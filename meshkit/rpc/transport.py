"""The HTTP/2 settings of both ends of every connection.

They belong together in one module: a client that pings more often than the server allows is thrown off its connection
(`too_many_pings`), so neither side has numbers of its own. Tests build a `Transport` with shorter times.
"""

from dataclasses import dataclass

__all__ = ["MAX_MESSAGE_BYTES", "MAX_METADATA_BYTES", "TRANSPORT", "Option", "Transport"]

Option = tuple[str, int | str]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest message either way; larger things travel by reference."""

MAX_METADATA_BYTES = 16 * 1024
"""The largest set of headers; credentials and trace context need less than half."""


@dataclass(frozen=True, slots=True)
class Transport:
    """Keepalive and connection times, in milliseconds."""

    keepalive_ms: int = 10_000
    """How long a connection may be quiet before the client pings."""
    ping_timeout_ms: int = 5_000
    """How long a ping may go unanswered: a frozen peer is noticed after keepalive + this."""
    max_connection_age_ms: int = 1_800_000
    """When the server asks clients to connect anew, so that load moves to new replicas."""
    max_connection_age_grace_ms: int = 60_000
    """How long calls on an aged connection may go on."""
    min_reconnect_ms: int = 200
    """First pause before connecting again."""
    max_reconnect_ms: int = 5_000
    """Longest pause before connecting again."""

    def channel_options(self) -> list[Option]:
        """Return the client's options."""
        return [
            ("grpc.keepalive_time_ms", self.keepalive_ms),
            ("grpc.keepalive_timeout_ms", self.ping_timeout_ms),
            # Without this the transport waits its own 60 s for the ping's answer, whatever keepalive_timeout says.
            ("grpc.http2.ping_timeout_ms", self.ping_timeout_ms),
            ("grpc.http2.max_pings_without_data", 0),
            # With window probing on, a reader that stands still buffers about 5 MiB a stream; without, about 100 KiB.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.initial_reconnect_backoff_ms", self.min_reconnect_ms),
            ("grpc.min_reconnect_backoff_ms", self.min_reconnect_ms),
            ("grpc.max_reconnect_backoff_ms", self.max_reconnect_ms),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            # Peers are where the configuration says; a proxy of the environment would take loopback too.
            ("grpc.enable_http_proxy", 0),
        ]

    def server_options(self) -> list[Option]:
        """Return the server's options."""
        return [
            # A second server on the same port is a mistake that must be seen.
            ("grpc.so_reuseport", 0),
            # A connection carries one peer; beyond this a client opens another channel or hears that it is too much.
            ("grpc.max_concurrent_streams", 100),
            # Half of the client's interval, so that clocks and jitter never make a healthy client look abusive.
            ("grpc.http2.min_ping_interval_without_data_ms", self.keepalive_ms // 2),
            ("grpc.keepalive_permit_without_calls", 1),
            # The server finds frozen clients the same way, and frees their streams.
            ("grpc.keepalive_time_ms", self.keepalive_ms),
            ("grpc.keepalive_timeout_ms", self.ping_timeout_ms),
            ("grpc.http2.ping_timeout_ms", self.ping_timeout_ms),
            ("grpc.max_connection_age_ms", self.max_connection_age_ms),
            ("grpc.max_connection_age_grace_ms", self.max_connection_age_grace_ms),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ]


TRANSPORT = Transport()
"""The settings in use everywhere."""
