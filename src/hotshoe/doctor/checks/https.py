"""The name, TLS, and the redirect from http to https."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Severity, duration, finding
from ..observations import Examination, TlsHandshake, Trouble

_SOON_S = 14 * 86_400
_OLD = ("SSLv3", "TLSv1", "TLSv1.1")


def check_name(seen: Examination) -> Iterator[Finding]:
    """Whether the name has an address, and a server listens there."""
    host, failure = seen.asked.host, seen.connection
    if seen.addresses not in ((), (host,)):
        yield finding("name.ok", host=host, addresses=", ".join(seen.addresses[:4]))
    if failure is not None and not seen.addresses:
        yield finding("name.unknown", host=host, error=failure.detail)
    elif failure is not None:
        case = "refused" if failure.trouble is Trouble.REFUSED else \
            "timeout" if failure.trouble in (Trouble.UNANSWERED, Trouble.TIMEOUT) else "unreachable"
        where = f"{failure.address.host} port {failure.address.port}"
        yield finding(f"connection.{case}", where=where, detail=failure.detail)


def check_tls(seen: Examination, *, insecure: bool) -> Iterator[Finding]:
    """Whether browsers accept the certificate."""
    tls = seen.tls
    if tls is None:
        return
    facts = {"name": tls.address.host}
    if tls.failure is not None:
        yield finding("tls.plain-http" if tls.speaks_http else "tls.no-handshake", facts, port=tls.address.port,
                      why=tls.failure.detail or "the connection is closed")
        return
    certificate = _certificate(tls, seen.now_s)
    if tls.fault is not None:
        yield finding(f"tls.{tls.fault.value}", facts, Severity.INFO if insecure else None,
                      detail=f" ({tls.detail})" if tls.detail else "", certificate=certificate)
    elif tls.expires_at_s is not None and tls.expires_at_s - seen.now_s < _SOON_S:
        yield finding("tls.expires-soon", facts, left=duration(tls.expires_at_s - seen.now_s))
    else:
        yield finding("tls.ok", version=tls.version, certificate=certificate)
    if tls.version in _OLD:
        yield finding("tls.old", facts, version=tls.version)


def _certificate(tls: TlsHandshake, now_s: float) -> str:
    names = ", ".join(tls.names[:6]) + (f" and {len(tls.names) - 6} more" if len(tls.names) > 6 else "")
    words = [f"It is for {names}" if names else "It names no host (SAN)"]
    if tls.issuer:
        words.append(f"issued by {tls.issuer}")
    if tls.expires_at_s is not None:
        left = tls.expires_at_s - now_s
        words.append(f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago")
    return ", ".join(words) + "."


def check_redirect(seen: Examination) -> Iterator[Finding]:
    """Whether plain http redirects to https."""
    reply, page = seen.plain_http, seen.page
    if reply is None or page is None:
        return
    facts, port = {"name": page.address.host}, reply.address.port
    if reply.trouble is not None:
        yield finding("redirect.closed", facts, port=port, trouble=reply.outcome)
        return
    if not reply.is_redirect:
        yield finding("redirect.missing", facts, port=port, status=reply.status)
        return
    try:
        to = reply.address.join(reply.header("location"))
    except ValueError:
        to = reply.address
    if not to.is_secure:
        yield finding("redirect.missing/insecure", facts, port=port, target=to)
    elif (to.host, to.port, to.app_path) != (page.address.host, page.address.port, page.address.app_path):
        yield finding("redirect.elsewhere", facts, port=port, target=to, page=page.address)
    else:
        yield finding("redirect.ok", facts, port=port)
