"""Name lookup, TCP and TLS. Each connection has one deadline for everything, and a limit of bytes to receive.

Certificates are verified as a browser does it; if that fails, ``examine_tls`` finds out what is wrong with them.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any

from ..base.threads import ThreadPool
from .bounds import DoctorOptions
from .observations import Exchange, Fault, TlsHandshake, Trouble
from .urls import Url

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME; the module ``ssl`` has no name for it."""
_FAULTS = {2: Fault.UNKNOWN, 9: Fault.NOT_YET, 10: Fault.EXPIRED, 18: Fault.SELF_SIGNED, 19: Fault.OWN_ROOT,
           20: Fault.UNKNOWN, 21: Fault.UNKNOWN, 62: Fault.WRONG_NAME, 64: Fault.WRONG_NAME}
"""By OpenSSL's verification errors (X509_V_ERR_…)."""
_CHUNK_BYTES = 65_536
_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""OpenSSL's errors where the other side speaks plain http."""


class NoConnection(Exception):
    """``failure`` says why nothing can be reached."""

    def __init__(self, failure: Exchange) -> None:
        super().__init__(failure.outcome)
        self.failure = failure


class ConnectTimeout(OSError):
    """The connection is not accepted in time."""


class TooMuchData(OSError):
    """The other side sends more than the limit."""


_TROUBLES = (
    (TooMuchData, Trouble.TOO_LARGE), (ConnectTimeout, Trouble.UNANSWERED), (socket.gaierror, Trouble.NAME),
    (UnicodeError, Trouble.NAME), (ssl.SSLError, Trouble.TLS), (TimeoutError, Trouble.TIMEOUT),
    (ConnectionRefusedError, Trouble.REFUSED), (ConnectionError, Trouble.RESET), (EOFError, Trouble.RESET),
    (OSError, Trouble.UNREACHABLE), (Exception, Trouble.MALFORMED))
"""By the first class that an error is of."""


def resolve_name(address: Url, timeout_s: float) -> tuple[str, ...]:
    """The addresses of a host's name. Raises ``NoConnection``.

    The resolver can't be interrupted: after a timeout its thread is left alone.
    """
    with ThreadPool(1) as pool:
        lookup = pool.submit(socket.getaddrinfo, address.host, None, type=socket.SOCK_STREAM)
        try:
            entries = lookup.result(timeout_s)
        except TimeoutError:
            detail = "the name server does not respond in time"
            raise NoConnection(Exchange(address, trouble=Trouble.NAME, detail=detail)) from None
        except (OSError, UnicodeError) as error:
            raise NoConnection(failure_of(address, error)) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


class BoundedSocket:
    """A connection to an address. All its errors are ``OSError``; ``TimeoutError`` after its deadline."""

    def __init__(self, address: Url, *, timeout_s: float, max_bytes: int, context: ssl.SSLContext | None) -> None:
        self._left = max_bytes
        self._socket = _connect(address, timeout_s)
        self._deadline = time.monotonic() + timeout_s
        try:
            if context is not None:  # the socket's timeout limits the whole handshake
                self._socket = context.wrap_socket(self._socket, server_hostname=address.host)
        except BaseException:
            self._socket.close()
            raise

    def extend(self, seconds: float) -> None:
        """Set a new deadline, from now."""
        self._deadline = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        self._set_timeout()
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """The next data; empty at the end."""
        if self._left <= 0:
            raise TooMuchData("it sends more data than is read")
        self._set_timeout()
        data = self._socket.recv(min(_CHUNK_BYTES, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._socket.close()

    def _set_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)


def _connect(address: Url, timeout_s: float) -> socket.socket:
    try:
        connection = socket.create_connection((address.host, address.port), timeout_s)
    except TimeoutError as error:
        raise ConnectTimeout(str(error)) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def failure_of(address: Url, error: Exception) -> Exchange:
    """The exchange that ended with an error of the connection, or of the data from it."""
    detail = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ssl.SSLError):
        detail = getattr(error, "verify_message", "") or error.reason or detail
    trouble = next(trouble for kind, trouble in _TROUBLES if isinstance(error, kind))
    if getattr(error, "error_status_hint", None) == 431:
        trouble = Trouble.TOO_LARGE
    return Exchange(address, trouble=trouble, detail=str(detail))


def unverified_context() -> ssl.SSLContext:
    """A context that accepts any certificate, to examine what is behind a faulty one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def examine_tls(address: Url, options: DoctorOptions, trusted: ssl.SSLContext) -> TlsHandshake:
    """Do a TLS handshake. Raises ``NoConnection`` if nothing can be reached there."""
    try:
        return _handshake(address, options, trusted)
    except ssl.SSLCertVerificationError as error:
        return _diagnose(address, options, error)
    except (ssl.SSLError, ConnectionResetError) as error:
        speaks_http = any(word in str(error) for word in _PLAIN)
        return TlsHandshake(address, failure=failure_of(address, error), speaks_http=speaks_http)
    except (OSError, ValueError) as error:
        raise NoConnection(failure_of(address, error)) from error


def _handshake(address: Url, options: DoctorOptions, context: ssl.SSLContext, fault: Fault | None = None,
               detail: str = "") -> TlsHandshake:
    with (_connect(address, options.timeout_s) as connection,
          context.wrap_socket(connection, server_hostname=address.host) as tls):
        certificate: dict[str, Any] = dict(tls.getpeercert() or {})
        version = tls.version() or ""
    if fault is Fault.UNKNOWN and (certificate.get("caIssuers") or options.cafile is not None):
        # Most likely an intermediate certificate is missing: a public authority has issued it (its certificates say
        # where their issuer's is), or the root was given.
        fault = Fault.INCOMPLETE
    names = tuple(value for _, value in certificate.get("subjectAltName", ()))
    return TlsHandshake(address, version, names, _common_name(certificate.get("issuer", ())),
                        _unix_time(certificate.get("notAfter")), fault, detail)


def _diagnose(address: Url, options: DoctorOptions, error: ssl.SSLCertVerificationError) -> TlsHandshake:
    fault = _FAULTS.get(error.verify_code, Fault.OTHER)
    try:
        leaf = ssl.get_server_certificate((address.host, address.port), timeout=options.timeout_s)
        return _handshake(address, options, _context_trusting(leaf), fault, error.verify_message)
    except (OSError, ValueError):
        return TlsHandshake(address, fault=fault, detail=error.verify_message)


def _context_trusting(leaf: str) -> ssl.SSLContext:
    """A context that trusts this certificate: ``ssl`` decodes only certificates that it has verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=leaf)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def _common_name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    found = {key: value for part in parts for key, value in part}
    return found.get("commonName") or found.get("organizationName") or ""


def _unix_time(text: str | None) -> float | None:
    try:
        return None if text is None else float(ssl.cert_time_to_seconds(text))
    except ValueError:
        return None
