"""What is this machine, as seen from itself: loopback addresses, and the names that lead to no other (RFC 6761)."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine's own, also one of IPv4 within IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


def is_local_host(host: str) -> bool:
    """Whether a host, a name in lower case or an address, is this machine: ``localhost``, or a name below it, too."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)
