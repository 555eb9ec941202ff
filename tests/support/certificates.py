"""Certificates for tests: a root, an authority below it, and servers' pairs signed by that."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path

    def write(self, leaf: trustme.LeafCert, password: str | None = None) -> None:
        """Put a certificate with its chain, and its key, into the files, each at once as tools do."""
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        for path, content in ((self.cert, chain), (self.key, encrypted(leaf, password))):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(path)


class Authority:
    """Signs certificates for this machine; its root is the only one that is trusted by ``client``."""

    def __init__(self) -> None:
        self.root = trustme.CA()
        self.between = self.root.create_child_ca()

    def leaf(self, *, first: datetime | None = None, last: datetime | None = None) -> trustme.LeafCert:
        """A certificate with the names of this machine; valid for a long time unless it is said."""
        return self.between.issue_cert("localhost", "127.0.0.1", "::1", not_before=first,
                                       not_after=last or datetime(2100, 1, 1, tzinfo=UTC))

    def pair(self, folder: Path, *, password: str | None = None, name: str = "server") -> Pair:
        """The files of a new one."""
        pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        pair.write(self.leaf(), password)
        return pair

    def both(self, folder: Path) -> Path:
        """A new certificate, its chain and its key in one file, as proxies and servers of Python take it."""
        file = folder / "both.pem"
        self.leaf().private_key_and_cert_chain_pem.write_to_path(file)
        return file

    @property
    def client(self) -> ssl.SSLContext:
        """What verifies servers."""
        context = ssl.create_default_context()
        self.root.configure_trust(context)
        return context


def encrypted(leaf: trustme.LeafCert, password: str | None) -> bytes:
    """The key, with a password if there is one."""
    if password is None:
        return leaf.private_key_pem.bytes()
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
