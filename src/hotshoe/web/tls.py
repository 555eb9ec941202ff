"""TLS for the server's sockets: the certificate and its key, and what to do when their files change.

A new pair is loaded beside the old one and takes its place only when it is whole; handshakes from then on get it,
connections that are open go on.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..config import Settings
from ..errors import ConfigError
from .certificates import validity

SOON = timedelta(days=7)
"""An end of the certificate that is nearer than this is worth a line in the log."""

_log = logging.getLogger("hotshoe.tls")

Stamp = tuple[tuple[int, int, int], ...]


def _now() -> datetime:
    return datetime.now(UTC)


class Tls:
    """The TLS of one server. Raises ConfigError, one line, if the certificate or the key can't be used."""

    def __init__(self, certfile: str, keyfile: str | None = None, password: str | None = None,
                 clock: Callable[[], datetime] = _now) -> None:
        # An app may change the folder before the files are looked at again.
        self._certfile = str(Path(certfile).absolute())
        self._keyfile = str(Path(keyfile or certfile).absolute())
        self._password = password
        self._clock = clock
        self._stamp = self._seen = self._stamp_of_files()
        self._current = self._loaded()
        self.context = self._current
        """What sockets are wrapped with: it hands each handshake to the pair that counts at that moment."""
        self.context.sni_callback = self._pick
        self._complain(self._problem_of_time())

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """The TLS that the settings ask for."""
        if not settings.ssl_certfile:
            return None
        return cls(settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_password)

    def refresh(self) -> None:
        """Load the pair again if its files have changed, and have not since the last call: one may be written yet.

        May be called on any thread. Never raises; what is wrong is logged once.
        """
        stamp, seen = self._stamp_of_files(), self._seen
        self._seen = stamp
        if stamp == self._stamp or stamp != seen:
            return
        self._stamp = stamp
        try:
            loaded = self._loaded()
            problem = self._problem_of_time(only_wrong=True)
        except (ConfigError, OSError) as error:
            problem = str(error)
        if problem:
            _log.error("The certificate has changed, and the one before it is kept: %s", problem)
            return
        self._current = loaded
        _log.info("The certificate has changed: new connections get that of %s", self._certfile)
        self._complain(self._problem_of_time())

    def _pick(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # OpenSSL asks for every handshake, also if the client names no server.
        if self._current is not context:
            connection.context = self._current

    def _loaded(self) -> ssl.SSLContext:
        context = _context()
        try:
            context.load_cert_chain(self._certfile, self._keyfile, self._password or self._no_password)
        except ConfigError:
            raise
        except (OSError, ValueError) as error:  # ssl's errors are among them
            raise ConfigError(self._reason(error)) from error
        return context

    def _no_password(self) -> str:
        raise ConfigError(f"The key in {self._keyfile} is encrypted: give its password as BOKEH_SSL_PASSWORD "
                          "in the environment")

    def _reason(self, error: Exception) -> str:
        for option, file in (("--ssl-certfile", self._certfile), ("--ssl-keyfile", self._keyfile)):
            try:
                text = Path(file).read_text("latin-1")
            except (OSError, ValueError) as problem:
                return f"{option}: {file} can't be read: {getattr(problem, 'strerror', None) or problem}"
            wanted, what = ("CERTIFICATE", "certificate") if option == "--ssl-certfile" else ("PRIVATE KEY", "key")
            if f"{wanted}-----" not in text:
                return f"{option}: there is no {what} in {file} in the format PEM"
        why = getattr(error, "reason", None) or error
        if why == "KEY_VALUES_MISMATCH":
            return f"The key in {self._keyfile} does not belong to the certificate in {self._certfile}"
        if self._password is not None and self._is_encrypted():
            return f"The password in BOKEH_SSL_PASSWORD does not open the key in {self._keyfile}"
        return f"The certificate in {self._certfile} and the key in {self._keyfile} can't be used: {why}"

    def _is_encrypted(self) -> bool:
        return "ENCRYPTED" in Path(self._keyfile).read_text("latin-1")

    def _problem_of_time(self, *, only_wrong: bool = False) -> str | None:
        valid = validity(Path(self._certfile).read_text("latin-1"))
        if valid is None:
            return None
        now, (first, last) = self._clock(), valid
        if now < first:
            return f"the certificate in {self._certfile} is valid only from {first:%Y-%m-%d %H:%M} UTC on"
        if now > last:
            return f"the certificate in {self._certfile} has expired on {last:%Y-%m-%d %H:%M} UTC"
        if last - now < SOON and not only_wrong:
            return f"the certificate in {self._certfile} expires on {last:%Y-%m-%d %H:%M} UTC"
        return None

    @staticmethod
    def _complain(problem: str | None) -> None:
        if problem:
            _log.warning("Browsers need a certificate that is valid: %s", problem)

    def _stamp_of_files(self) -> Stamp:
        return tuple(_stamp(file) for file in (self._certfile, self._keyfile))


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context
