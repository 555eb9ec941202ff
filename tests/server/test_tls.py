from __future__ import annotations

import asyncio
import logging
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.support.certificates import Authority, Pair
from tests.support.served_app import both_loops

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.server.tls import Tls


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def tls_of(pair: Pair, password: str | None = None) -> Tls:
    return Tls(str(pair.cert), str(pair.key), password)


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificates(pair.cert.read_bytes())[0].serial_number


async def asked(tls: Tls, client: ssl.SSLContext, *, name: str | None = "localhost") -> int:
    """The serial number of the certificate that a client gets."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        if name is None:
            client.check_hostname = False
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name or "")
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        writer.close()
    return x509.load_der_x509_certificate(found).serial_number


@both_loops
async def test_the_whole_chain_is_sent(authority: Authority, tmp_path: Path) -> None:
    pair = authority.pair(tmp_path)
    assert await asked(tls_of(pair), authority.client) == serial(pair)
    one = tmp_path / "one.pem"
    one.write_bytes(pair.key.read_bytes() + pair.cert.read_bytes())
    tls = Tls.of(Settings(ssl_certfile=str(one)))
    assert tls is not None
    assert await asked(tls, authority.client) == serial(pair)
    assert Tls.of(Settings()) is None


async def test_a_key_with_a_password(authority: Authority, tmp_path: Path) -> None:
    pair = authority.pair(tmp_path, password="hush")
    settings = Settings(ssl_certfile=str(pair.cert), ssl_keyfile=str(pair.key), ssl_password="hush")
    tls = Tls.of(settings)
    assert tls is not None
    assert await asked(tls, authority.client) == serial(pair)


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_are_refused(authority: Authority, tmp_path: Path, most: ssl.TLSVersion) -> None:
    client = authority.client
    client.set_ciphers("DEFAULT@SECLEVEL=0")
    client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, most
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asked(tls_of(authority.pair(tmp_path)), client)


def test_what_can_not_be_used_is_said_in_one_line(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.pair(tmp_path), authority.pair(tmp_path, name="other")
    locked = authority.pair(tmp_path, name="locked", password="hush")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    torn = tmp_path / "torn"
    torn.write_bytes(good.cert.read_bytes()[:200] + b"\n-----END CERTIFICATE-----\n")
    missing = tmp_path / "missing"
    wrong = {
        f"--ssl-certfile: {missing} can't be read: No such file": (missing, good.key, None),
        f"--ssl-keyfile: {missing} can't be read: No such file": (good.cert, missing, None),
        f"--ssl-certfile: {tmp_path} can't be read: Is a directory": (tmp_path, good.key, None),
        f"--ssl-certfile: there is no certificate in PEM format in {nonsense}": (nonsense, good.key, None),
        f"--ssl-keyfile: there is no key in PEM format in {nonsense}": (good.cert, nonsense, None),
        f"--ssl-keyfile: there is no key in PEM format in {good.cert}": (good.cert, None, None),
        f"The key in {other.key} does not belong to the certificate in {good.cert}": (good.cert, other.key, None),
        f"The key in {locked.key} is encrypted: give its password as BOKEH_SSL_PASSWORD": (
            locked.cert, locked.key, None),
        f"The password in BOKEH_SSL_PASSWORD does not open the key in {locked.key}": (
            locked.cert, locked.key, "loud"),
        f"The certificate in {torn} and the key in {good.key} can't be used": (torn, good.key, None),
    }
    for message, (cert, key, password) in wrong.items():
        with pytest.raises(ConfigError) as caught:
            Tls(str(cert), str(key) if key else None, password)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)
        assert "loud" not in str(caught.value)


@pytest.mark.parametrize(("days", "words"), [
    ((-400, -1), "expired on 2029-12-31"), ((1, 400), "is not valid before 2030-01-02"),
    ((-400, 6), "expires on 2030-01-07"), ((-400, 8), None),
])
def test_times_that_browsers_do_not_take_are_logged(
    authority: Authority, tmp_path: Path, days: tuple[int, int], words: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime(2030, 1, 1, 12, tzinfo=UTC)
    pair = Pair(tmp_path / "cert", tmp_path / "key")
    first, last = (now + timedelta(days=each) for each in days)
    pair.write(authority.leaf(first=first, last=last))
    Tls(str(pair.cert), str(pair.key), clock=lambda: now)
    assert len(caplog.messages) == (words is not None)
    assert words is None or words in caplog.messages[0]


def refresh(tls: Tls) -> None:
    """Looks twice, as a change counts only once the files are left alone."""
    tls.refresh()
    tls.refresh()


@both_loops
async def test_a_new_pair_counts_from_the_next_handshake_on(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    pair = authority.pair(tmp_path)
    tls = Tls("server.pem", "server.key")
    monkeypatch.chdir("/")
    for name in ("localhost", None):
        before = serial(pair)
        assert await asked(tls, authority.client, name=name) == before
        pair.write(authority.leaf())
        tls.refresh()
        assert await asked(tls, authority.client, name=name) == before
        tls.refresh()
        assert await asked(tls, authority.client, name=name) == serial(pair) != before
    assert [message.partition(":")[0] for message in caplog.messages] == ["The certificate has changed"] * 2
    refresh(tls)
    assert len(caplog.messages) == 2


async def test_a_broken_pair_is_logged_once_and_the_old_one_stays(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = authority.pair(tmp_path)
    tls, before = tls_of(pair), serial(pair)
    key = pair.key.read_bytes()

    def lose() -> None:
        pair.key.unlink()

    def mix() -> None:
        pair.write(authority.leaf())
        pair.key.write_bytes(key)

    def expire() -> None:
        pair.write(authority.leaf(first=datetime(2000, 1, 1, tzinfo=UTC), last=datetime(2001, 1, 1, tzinfo=UTC)))

    for damage, words in ((lose, "can't be read"), (mix, "does not belong"), (expire, "expired on")):
        caplog.clear()
        damage()
        refresh(tls)
        refresh(tls)
        assert len(caplog.messages) == 1
        assert words in caplog.messages[0]
        assert await asked(tls, authority.client) == before
    pair.write(authority.leaf())
    refresh(tls)
    assert await asked(tls, authority.client) == serial(pair)


async def test_a_changed_time_is_enough(authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pair = authority.pair(tmp_path)
    tls = tls_of(pair)
    os.utime(pair.cert, (0, 0))
    refresh(tls)
    assert "has changed" in caplog.text
