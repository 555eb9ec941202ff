"""When a certificate is valid: read from its DER, since Python's ssl does not say it of one's own."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def validity(pem: str) -> tuple[datetime, datetime] | None:
    """The first and the last moment of the first certificate in a PEM file; ``None`` if they can't be read."""
    found = _PEM.search(pem)
    if found is None:
        return None
    try:
        # Certificate → TBSCertificate → [version], serial, signature, issuer, validity (RFC 5280, section 4.1)
        fields = _parts(_parts(_parts(ssl.PEM_cert_to_DER_cert(found[0]))[0][1])[0][1])
        at = 4 if fields[0][0] == _VERSION else 3
        first, last = (_time(*part) for part in _parts(fields[at][1]))
    except (ValueError, IndexError):
        return None
    return first, last


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that follow each other: tag and content of each."""
    parts = []
    while data:
        tag, length, start = data[0], data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            raise ValueError("cut off")
        parts.append((tag, data[start:start + length]))
        data = data[start + length:]
    return parts


def _time(tag: int, text: bytes) -> datetime:
    digits = text.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year, from 1950 on
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
