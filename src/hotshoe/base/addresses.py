"""Network addresses: whether one is this machine, and which ones belong to the same client.

This machine's are loopback addresses, and ``localhost`` with the names below it (RFC 6761).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


def is_loopback(address: str) -> bool:
    """Whether an address is a loopback address, also an IPv4 address within IPv6."""
    parsed = parse_address(address)
    return parsed is not None and parsed.is_loopback


def is_local_host(host: str) -> bool:
    """Whether a host, a lower-case name or an address, is this machine."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The parsed address, without a scope (``%eth0``); IPv4 for an IPv4 address within IPv6; or ``None``."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else address.ipv4_mapped or IPv6Address(int(address))


@lru_cache(4096)
def network_of(address: str) -> str:
    """The key for counting one client: an IPv4 address, or the /64 network of an IPv6 address, which one client owns.

    For any other text, the text itself.
    """
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return address if parsed is None else str(parsed)
