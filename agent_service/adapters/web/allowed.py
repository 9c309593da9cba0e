"""What the operator lets agents fetch although it is not public (`MESH_WEB_ALLOW`)."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from agent_service.adapters.web.addresses import Address

__all__ = ["Allowed"]

_SITE = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Sites by name, with their port if it is an unusual one, and networks."""

    sites: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read `host`, `host:port`, an address or a network like `10.1.0.0/16`, with commas. Raises ValueError."""
        sites: set[tuple[str, int | None]] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in filter(None, map(str.strip, text.split(","))):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                site = _SITE.fullmatch(entry)
                if site is None:
                    raise ValueError("write host, host:port, an address or a network; commas between them") from None
                sites.add((site["host"].lower().strip("[]"), int(site["port"]) if site["port"] else None))
        return cls(frozenset(sites), tuple(networks))

    def site(self, host: str, port: int, *, usual: bool) -> bool:
        """Return whether the site is named; one named without its port may be asked at a `usual` port."""
        return (host, port) in self.sites or (usual and (host, None) in self.sites)

    def address(self, address: Address) -> bool:
        """Return whether the address lies in a network that is named."""
        return any(address in network for network in self.networks if network.version == address.version)
