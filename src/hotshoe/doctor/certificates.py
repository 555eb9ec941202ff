"""A TLS handshake looked at: verified as a browser does; if that fails, what is wrong with the certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from .addresses import Address
from .channel import Channel, NoAnswer, failure_of
from .observations import Fault, Tls
from .options import Options

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which ``ssl`` has no name for."""
_HELLO_BYTES = 1_000_000
_FAULTS = {9: Fault.NOT_YET, 10: Fault.EXPIRED, 18: Fault.SELF_SIGNED, 19: Fault.OWN_ROOT, 62: Fault.WRONG_NAME,
           64: Fault.WRONG_NAME}
_NO_ISSUER = (2, 20, 21)
_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


def trusting(options: Options) -> ssl.SSLContext:
    """What verifies as a browser does."""
    context = ssl.create_default_context()
    if options.cafile is not None:
        context.load_verify_locations(options.cafile)
    return context


def unverified() -> ssl.SSLContext:
    """What takes any certificate, to go on and look at the rest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def look_at(address: Address, options: Options, trusted: ssl.SSLContext) -> Tls:
    """Shake hands. Raises ``NoAnswer`` if nothing listens there."""
    try:
        return _seen(address, options, trusted)
    except ssl.SSLCertVerificationError as error:
        return _examined(address, options, error)
    except ssl.SSLError as error:
        return Tls(address, failure=failure_of(address, error), speaks_http=any(word in str(error) for word in _PLAIN))
    except ConnectionResetError as error:
        return Tls(address, failure=failure_of(address, error))
    except (OSError, ValueError) as error:
        raise NoAnswer(failure_of(address, error)) from error


def _seen(address: Address, options: Options, context: ssl.SSLContext, fault: Fault | None = None,
          detail: str = "") -> Tls:
    with Channel(address, timeout_s=options.timeout_s, max_bytes=_HELLO_BYTES, context=context) as channel:
        assert channel.tls is not None
        certificate: dict[str, Any] = dict(channel.tls.getpeercert() or {})
        version = channel.tls.version() or ""
    return Tls(
        address,
        version=version,
        names=tuple(value for _, value in certificate.get("subjectAltName", ())),
        subject=_named(certificate.get("subject", ())),
        issuer=_named(certificate.get("issuer", ())),
        expires_at_s=_seconds(certificate.get("notAfter")),
        begins_at_s=_seconds(certificate.get("notBefore")),
        fault=_sharper(fault, certificate, options),
        detail=detail,
    )


def _examined(address: Address, options: Options, error: ssl.SSLCertVerificationError) -> Tls:
    fault = _FAULTS.get(error.verify_code, Fault.UNKNOWN if error.verify_code in _NO_ISSUER else Fault.OTHER)
    try:
        return _seen(address, options, _believing(_leaf(address, options)), fault, error.verify_message)
    except (OSError, ValueError):
        return Tls(address, fault=fault, detail=error.verify_message)


def _leaf(address: Address, options: Options) -> bytes:
    with Channel(address, timeout_s=options.timeout_s, max_bytes=_HELLO_BYTES, context=unverified()) as channel:
        assert channel.tls is not None
        return channel.tls.getpeercert(binary_form=True) or b""


def _believing(leaf: bytes) -> ssl.SSLContext:
    """A context that trusts this certificate itself: only of one that it trusts does ``ssl`` tell what is in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=leaf)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def _sharper(fault: Fault | None, certificate: dict[str, Any], options: Options) -> Fault | None:
    """An issuer that is not known is most likely one in between, if the certificate is of a public authority (which
    says where its issuer's certificate is) or if the root has been given."""
    if fault is Fault.UNKNOWN and (certificate.get("caIssuers") or options.cafile is not None):
        return Fault.INCOMPLETE
    return fault


def _named(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    found = {key: value for part in parts for key, value in part}
    return found.get("commonName") or found.get("organizationName") or ""


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(ssl.cert_time_to_seconds(text))
    except ValueError:
        return None


