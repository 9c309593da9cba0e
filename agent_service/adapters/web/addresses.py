"""Which internet addresses are public.

Owns that judgement alone. It goes by what an address reaches: an IPv6 address that stands for an IPv4 address is judged
as that one.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Address", "is_public", "read_address"]

Address = IPv4Address | IPv6Address

# Not public, whatever the standard library's tables, which differ from one release of Python to the next, say.
_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # shared by the customers of one carrier
            "169.254.0.0/16",  # a cloud's metadata
            "192.0.0.0/24",
            "192.88.99.0/24",  # relays to IPv6
            "198.18.0.0/15",
            "240.0.0.0/4",
            "2001::/23",  # Teredo among them, which carries an IPv4 address
            "2001:db8::/32",
            "2002::/16",  # 6to4, which carries an IPv4 address
            "3fff::/20",
        ),
    )
)
_UNICAST = IPv6Network("2000::/3")  # the only part of IPv6 that is given out
_TRANSLATED = IPv6Network("64:ff9b::/96")  # how a network of IPv6 alone reaches an IPv4 address


def read_address(text: str) -> Address | None:
    """Return the address that the text writes in the one way that everybody reads alike; None if it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether anybody on the internet may reach the address, so that nothing behind a wall is told by it."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _UNICAST:  # also leaves out `::ffff:a.b.c.d`, which is no address of a site
            return False
    listed = any(address in network for network in _NEVER if network.version == address.version)
    return address.is_global and not address.is_multicast and not listed
