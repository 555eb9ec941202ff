import sys
from datetime import UTC, datetime

import pytest
import trustme

from hotshoe.server.tls import validity


@pytest.mark.parametrize(("first", "last"), [
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (datetime(1999, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),  # the two ways to write a time
])
def test_validity_is_that_of_the_first(first: datetime, last: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = trustme.CA().create_child_ca().issue_cert("localhost", not_before=first, not_after=last)
    chain = [blob.bytes() for blob in leaf.cert_chain_pems]
    pem = b"".join([b"# a comment \xe9\n", leaf.private_key_pem.bytes(), *chain])
    assert validity(pem) == (first, last)
    monkeypatch.setitem(sys.modules, "cryptography.x509", None)
    assert validity(pem) is None, "without cryptography it is not known"


@pytest.mark.parametrize("pem", [
    b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----",
])
def test_what_is_no_certificate_has_none(pem: bytes) -> None:
    assert validity(pem) is None
