"""Name, TLS and the way from http to https."""

from __future__ import annotations

from collections.abc import Iterator

from ..addresses import Address
from ..findings import Finding, info, ok, problem, warning
from ..observations import Examination, Failure, Fault, Tls, Trouble
from ..words import duration

_SOON_S = 14 * 86_400
_OLD = ("SSLv3", "TLSv1", "TLSv1.1")
_SAYS = {
    Fault.EXPIRED: "The certificate has expired",
    Fault.NOT_YET: "The certificate is not valid yet",
    Fault.SELF_SIGNED: "The certificate is self-signed; no browser trusts it",
    Fault.OWN_ROOT: "The chain ends in a root that is not trusted here",
    Fault.WRONG_NAME: "The certificate is for other names",
    Fault.INCOMPLETE: "The chain is incomplete: the server does not send the intermediate certificate",
    Fault.UNKNOWN: "The certificate's issuer is not known here, and its certificate is not sent along",
    Fault.OTHER: "The certificate can't be verified",
}
_CHANGES = {
    Fault.EXPIRED: "Renew it, and have the server load the new file; see that the renewal runs by itself.",
    Fault.NOT_YET: "Set the clock of this machine, or use a certificate that is valid today.",
    Fault.SELF_SIGNED: "Use a certificate of a public authority; of your own one, give its root with --cafile.",
    Fault.OWN_ROOT: "Use a certificate of a public authority; of your own one, give its root with --cafile.",
    Fault.WRONG_NAME: "Get a certificate that names {host}, or use one of its names.",
    Fault.INCOMPLETE: "Serve the full chain: the certificate, then the intermediate ones, in one file (fullchain.pem).",
    Fault.UNKNOWN: "Serve the full chain (fullchain.pem); if the authority is your own, give its root with --cafile.",
    Fault.OTHER: "Use a certificate that browsers accept.",
}


def check_name(seen: Examination) -> Iterator[Finding]:
    """DNS, and whether anybody listens."""
    name = seen.name
    if name is None:
        return
    if name.error:
        yield problem("name.unknown", f"{name.host} has no address: {name.error}.",
                      f"Check the spelling; if it is right, add an A or AAAA record for {name.host}.")
        return
    if name.addresses != (name.host,):
        yield ok("name.ok", f"{name.host} is {', '.join(name.addresses[:4])}.")
    failure = seen.connection
    if failure is not None:
        where = f"{failure.address.host} port {failure.address.port}"
        match failure.trouble:
            case Trouble.REFUSED:
                yield problem("connection.refused", f"Nothing listens at {where}.",
                              "Start the server or the proxy, and have it listen on this address and port.")
            case Trouble.UNANSWERED | Trouble.TIMEOUT:
                yield problem("connection.timeout", f"{where} does not answer in time.",
                              "Open the port in the firewall or security group; see whether the server hangs.")
            case _:
                yield problem("connection.unreachable", f"{where} can't be reached: {failure.detail}.",
                              "Check the network between here and there.")


def check_tls(seen: Examination, *, insecure: bool = False) -> Iterator[Finding]:
    """The certificate as a browser sees it."""
    tls = seen.tls
    if tls is None:
        return
    address = tls.address
    if tls.failure is not None:
        yield _no_handshake(tls, address)
        return
    if tls.fault is not None:
        words = f"{_SAYS[tls.fault]} ({tls.detail})." if tls.detail else f"{_SAYS[tls.fault]}."
        words = f"{words} {_certificate(tls, seen.now_s)}"
        change = _CHANGES[tls.fault].format(host=address.host)
        make = info if insecure else problem
        yield make(f"tls.{tls.fault.value}", words, change, name=address.host)
    elif tls.expires_at_s is not None and tls.expires_at_s - seen.now_s < _SOON_S:
        yield warning("tls.expires-soon", f"The certificate expires in {duration(tls.expires_at_s - seen.now_s)}.",
                      "Renew it now; see that the renewal runs by itself.", name=address.host)
    else:
        yield ok("tls.ok", f"{tls.version}, verified. {_certificate(tls, seen.now_s)}")
    if tls.version in _OLD:
        yield problem("tls.old", f"{tls.version} is spoken, which browsers refuse.", "Allow TLS 1.2 and 1.3.")


def _no_handshake(tls: Tls, address: Address) -> Finding:
    if tls.speaks_http:
        return problem("tls.plain-http", f"Port {address.port} speaks plain http, not https.",
                       "Ask for http://, or have the proxy speak TLS on this port.", name=address.host)
    detail = "" if tls.failure is None else tls.failure.detail
    return problem("tls.no-handshake", f"The TLS handshake fails: {detail or 'the connection is closed'}.",
                   f"See that the proxy has a certificate for {address.host} and speaks TLS 1.2 or 1.3.",
                   name=address.host)


def _certificate(tls: Tls, now_s: float) -> str:
    names = ", ".join(tls.names[:6]) + (f" and {len(tls.names) - 6} more" if len(tls.names) > 6 else "")
    words = [f"It is for {names}" if names else "It names no host (SAN)"]
    if tls.issuer:
        words.append(f"by {tls.issuer}")
    if tls.expires_at_s is not None:
        left = tls.expires_at_s - now_s
        words.append(f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago")
    return ", ".join(words) + "."


def check_redirect(seen: Examination) -> Iterator[Finding]:
    """Whether plain http leads to https."""
    door, page = seen.door, seen.page
    if door is None or page is None:
        return
    at = f"http port {door.address.port}"
    facts = {"name": page.address.host}
    if isinstance(door, Failure):
        yield info("redirect.closed", f"{at}: {door.trouble.value}. Who types the bare name may not get here.",
                   "Listen on port 80 and redirect to https.", **facts)
    elif not door.is_redirect:
        yield warning("redirect.missing", f"{at} answers with {door.status} instead of leading to https.",
                      "Redirect all of plain http to https; passwords and cookies go over it in the clear.", **facts)
    else:
        yield _redirected(door.header("location"), door.address, page.address, at, facts)


def _redirected(location: str, door: Address, page: Address, at: str, facts: dict[str, str]) -> Finding:
    try:
        to = door.join(location)
    except ValueError:
        to = door
    if not to.is_secure:
        return warning("redirect.missing", f"{at} leads to {to}, which is not https.",
                       "Redirect all of plain http to https.", **facts)
    if to.host != page.host or to.port != page.port or to.app_path != page.app_path:
        return warning("redirect.elsewhere", f"{at} leads to {to}, not to {page}.",
                       "Redirect to the same host and path.", **facts)
    return ok("redirect.ok", f"{at} leads to https.")
