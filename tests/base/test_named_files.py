"""Files that the operator names: whatever is at the path, the server says so in a line, and soon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cases import every_case
from tests.support.certificates import Authority

from hotshoe.auth.basic.users_file import UsersFile
from hotshoe.auth.jwts import FileKeys
from hotshoe.auth.providers import _client_secret
from hotshoe.base import named_files
from hotshoe.base.errors import ConfigError
from hotshoe.base.named_files import in_time, read_named
from hotshoe.cli.arguments import local_file
from hotshoe.config import Settings, SettingSources
from hotshoe.config.value_sources import read_bokeh_file
from hotshoe.server.tls import Tls
from hotshoe.web import own_pages
from hotshoe.web.gate.secret_keys import keys_of
from hotshoe.web.own_answers import OwnIndex


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Authority().pair(tmp_path_factory.mktemp("pair")).cert)


def readers(certificate: str) -> dict[str, Callable[[Path], Any]]:
    """All that the server reads when it starts, by what the operator names."""
    return {
        "hotshoe.toml": lambda path: SettingSources({}, {}, path).settings(),
        "--use-config": read_bokeh_file,
        "--users-file": lambda path: UsersFile(path).check(),
        "--secret-file": lambda path: keys_of(Settings(secret_file=str(path))),
        "--oidc-client-secret-file": lambda path: _client_secret(
            Settings(auth="oidc", oidc_issuer="github", oidc_client_id="a", oidc_client_secret_file=str(path))),
        "--auth-header-keys": FileKeys,
        "--ssl-certfile": lambda path: Tls(str(path)),
        "--ssl-keyfile": lambda path: Tls(certificate, str(path)),
        "--ico-path": lambda path: own_pages.icon(str(path)),
        "--index": lambda path: OwnIndex(str(path), prefix=""),
    }


def refused(read: Callable[[Path], Any], path: Path) -> str:
    """The error, which is one line with the path."""
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("make", "reason"), [
    (lambda path: os.mkfifo(path, 0o600), "it is not a regular file"),
    (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
    (Path.mkdir, "Is a directory"),
], ids=["pipe", "device", "folder"])
def test_what_is_not_a_file(make: Callable[[Path], None], reason: str, tmp_path: Path, certificate: str) -> None:
    path = tmp_path / "file.ico"
    make(path)
    with every_case() as case:
        for name, read in readers(certificate).items():
            with case(name):
                assert reason in refused(read, path)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A file on a disk that does not respond."""
    path, back = tmp_path / "file.ico", threading.Event()
    path.write_text("content")
    real = os.open

    def open_slowly(file: Any, *args: Any, **more: Any) -> int:
        if str(file) == str(path):
            back.wait(60)
        return real(file, *args, **more)

    monkeypatch.setattr(os, "open", open_slowly)
    monkeypatch.setattr(named_files, "PATIENCE_S", 0.05)
    yield path
    back.set()


def test_a_disk_that_does_not_respond(hanging: Path, certificate: str) -> None:
    with every_case() as case:
        for name, read in readers(certificate).items():
            with case(name):
                assert "the disk does not respond within 0.05 s" in refused(read, hanging)


def test_a_pipe_that_takes_the_place_of_a_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = Authority().pair(tmp_path)
    tls = Tls(str(pair.cert), str(pair.key))
    pair.key.unlink()
    os.mkfifo(pair.key)
    tls.refresh()
    tls.refresh()
    assert f"the previous one stays in use: --ssl-keyfile: {pair.key} can't be read: it is not a regular" in caplog.text


def test_a_settings_file_of_the_folder_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hotshoe.toml").mkdir()
    assert local_file() == Path("hotshoe.toml"), "reading it says what is wrong"


@pytest.mark.parametrize(("path", "reason"), [
    ("none", "No such file"), ("a\0b", "null byte"), ("large", "more than 5")])
def test_reasons(path: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(6))
    with pytest.raises(OSError, match=reason):
        read_named(tmp_path / path, 5)


def test_an_error_of_the_function_stays_what_it_is() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        in_time(fail)
