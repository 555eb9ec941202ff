from datetime import UTC, datetime

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.web.certificates import _parts, validity


@pytest.mark.parametrize(("first", "last"), [
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (datetime(1999, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),  # the two ways to write a time
])
def test_validity_is_that_of_the_first(first: datetime, last: datetime) -> None:
    leaf = trustme.CA().create_child_ca().issue_cert("localhost", not_before=first, not_after=last)
    pem = "# a comment\n" + leaf.private_key_pem.bytes().decode()
    pem += "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
    assert validity(pem) == (first, last)


@pytest.mark.parametrize("pem", [
    "", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----",
])
def test_what_is_no_certificate_has_none(pem: str) -> None:
    assert validity(pem) is None


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    try:
        parts = _parts(data)
    except (ValueError, IndexError):
        return
    assert sum(len(content) for _, content in parts) <= len(data)
