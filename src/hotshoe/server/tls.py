"""TLS for the server's sockets: the certificate and its key, loaded again when their files change.

A new pair replaces the old one only if it is complete and valid. New handshakes then use it; open connections stay.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from ..base.errors import ConfigError
from ..base.folders import stamp_of
from ..base.named_files import in_time, read_named, reason_of
from ..config import Settings

SOON = timedelta(days=7)
"""The log warns of a certificate that expires within this time."""

_log = logging.getLogger("hotshoe.tls")


class Tls:
    """The TLS of one server. Raises ConfigError if the certificate or the key cannot be used."""

    def __init__(self, certfile: str, keyfile: str | None = None, password: str | None = None,
                 clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        # Absolute, since an app may change the current folder.
        self._certfile = str(Path(certfile).absolute())
        self._keyfile = str(Path(keyfile or certfile).absolute())
        self._password = password
        self._clock = clock
        self._stamp = self._seen = self._read_stamp()
        self._current = self._load()
        self.context = self._current
        """The context for the sockets: it gives each handshake the newest pair."""
        self.context.sni_callback = self._pick
        self._warn_of_dates()

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """The TLS of the settings; ``None`` without a certificate."""
        if not settings.ssl_certfile:
            return None
        return cls(settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_password)

    def refresh(self) -> None:
        """Load the pair again if its files have changed, but not since the last call: a file may be half written.

        May be called in any thread. Never raises; a problem is logged once.
        """
        stamp, seen = self._read_stamp(), self._seen
        self._seen = stamp
        if stamp == self._stamp or stamp != seen:
            return
        self._stamp = stamp
        try:
            loaded = self._load()
            problem = self._problem_of_dates(only_wrong=True)
        except (ConfigError, OSError) as error:
            problem = str(error)
        if problem:
            _log.error("The certificate has changed, but the previous one stays in use: %s", problem)
            return
        self._current = loaded
        _log.info("The certificate has changed: new connections use %s", self._certfile)
        self._warn_of_dates()

    def _pick(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # OpenSSL calls this for every handshake, also if the client names no server.
        if self._current is not context:
            connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        try:
            for file in {self._certfile, self._keyfile}:
                read_named(file)  # raises what OpenSSL might wait for
            in_time(partial(context.load_cert_chain, self._certfile, self._keyfile,
                            self._password or self._no_password))
        except ConfigError:
            raise
        except (OSError, ValueError) as error:  # ssl's errors are of these types
            raise ConfigError(self._reason(error)) from error
        return context

    def _no_password(self) -> str:
        raise ConfigError(f"The key in {self._keyfile} is encrypted: give its password as BOKEH_SSL_PASSWORD "
                          "in the environment")

    def _reason(self, error: Exception) -> str:
        for option, file in (("--ssl-certfile", self._certfile), ("--ssl-keyfile", self._keyfile)):
            try:
                text = read_named(file).decode("latin-1")
            except OSError as problem:
                return f"{option}: {file} can't be read: {reason_of(problem)}"
            label, what = ("CERTIFICATE", "certificate") if option == "--ssl-certfile" else ("PRIVATE KEY", "key")
            if f"{label}-----" not in text:
                return f"{option}: there is no {what} in PEM format in {file}"
        why = getattr(error, "reason", None) or error
        if why == "KEY_VALUES_MISMATCH":
            return f"The key in {self._keyfile} does not belong to the certificate in {self._certfile}"
        if self._password is not None and b"ENCRYPTED" in read_named(self._keyfile):
            return f"The password in BOKEH_SSL_PASSWORD does not open the key in {self._keyfile}"
        return f"The certificate in {self._certfile} and the key in {self._keyfile} can't be used: {why}"

    def _problem_of_dates(self, *, only_wrong: bool = False) -> str | None:
        valid = validity(read_named(self._certfile))
        if valid is None:
            return None
        now, (first, last) = self._clock(), valid
        if now < first:
            return f"the certificate in {self._certfile} is not valid before {first:%Y-%m-%d %H:%M} UTC"
        if now > last:
            return f"the certificate in {self._certfile} expired on {last:%Y-%m-%d %H:%M} UTC"
        if last - now < SOON and not only_wrong:
            return f"the certificate in {self._certfile} expires on {last:%Y-%m-%d %H:%M} UTC"
        return None

    def _warn_of_dates(self) -> None:
        if problem := self._problem_of_dates():
            _log.warning("Browsers need a valid certificate: %s", problem)

    def _read_stamp(self) -> object:
        return stamp_of(self._certfile), stamp_of(self._keyfile)


def validity(pem: bytes) -> tuple[datetime, datetime] | None:
    """The start and the end of the first certificate in a PEM file.

    ``None`` if they cannot be read, for instance without the package ``cryptography`` (part of the extra ``auth``).
    """
    try:
        from cryptography.x509 import load_pem_x509_certificate

        certificate = load_pem_x509_certificate(pem)
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ImportError, ValueError, AttributeError):  # AttributeError: cryptography before 42
        return None
