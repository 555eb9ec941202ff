"""What lines of configuration have to know of an address."""

from __future__ import annotations

import re
from ipaddress import ip_address

from ...loopback import is_local_host
from ..addresses import Address

_PLAIN = re.compile(r"[A-Za-z0-9._~:@/\[\]-]+")
"""What needs no quotes in any configuration; anything else could end a line of it."""


def facts_of(app: Address, **more: str) -> dict[str, str]:
    """``name``, ``host`` (with a port), ``origin``, ``app`` (its path), ``prefix`` (the path above it)."""
    prefix = app.app_path.rpartition("/")[0] + "/"
    facts = {"name": app.host, "host": app.netloc, "origin": app.origin, "app": app.app_path or "/", "prefix": prefix,
             "bare_prefix": prefix.rstrip("/"), **more}
    return {key: value if not value or _PLAIN.fullmatch(value) else f"YOUR-{key.upper().replace('_', '-')}"
            for key, value in facts.items()}


def is_inner(host: str) -> bool:
    """Whether only a few can reach a host: this machine, or an address of a private network."""
    if is_local_host(host) or ("." not in host.strip("[]") and ":" not in host):
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return host.endswith((".local", ".internal", ".svc"))
