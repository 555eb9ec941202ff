"""The key that is made on the first start and kept, and those that are given."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings, SettingSources
from hotshoe.tokens import derived, new_key, read_or_make_key
from hotshoe.web.gate.secret_keys import keys_of


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "secret-key"
    keys = keys_of(Settings(secret_file=str(file)))
    assert keys == keys_of(Settings(secret_file=str(file)))
    assert len(keys.all[0]) >= 64
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("has_links", [True, False])
def test_many_that_start_at_once_get_the_same(has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", no_link)
    at_once = Barrier(8)

    def start(folder: Path) -> str:
        at_once.wait()
        return read_or_make_key(folder / "secret-key")

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            folder = tmp_path / str(number)
            assert len(set(pool.map(start, [folder] * 8))) == 1
            assert [file.name for file in folder.iterdir()] == ["secret-key"]


def no_link(*_: object) -> None:
    """As on a file system of Windows."""
    raise PermissionError(1, "Operation not permitted")


def test_who_began_to_make_a_key_and_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr("hotshoe.tokens.keys.CLAIM_S", 0.05)
    (tmp_path / ".secret-key.claim").touch()
    assert read_or_make_key(tmp_path / "secret-key") == read_or_make_key(tmp_path / "secret-key")
    assert [file.name for file in tmp_path.iterdir()] == ["secret-key"]


def test_without_a_file_it_is_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert keys_of(Settings()).all[0].decode() == (tmp_path / "hotshoe" / "secret-key").read_text().strip()


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "secret-key"
    read_or_make_key(file)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        keys_of(Settings(secret_file=str(file)))


def test_half_a_key_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "secret-key"
    os.close(os.open(file, os.O_CREAT, 0o600))
    with pytest.raises(ConfigError, match="incomplete"):
        read_or_make_key(file)


def test_where_none_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert keys_of(Settings()) != keys_of(Settings())
    assert "set BOKEH_SECRET_KEY" in caplog.text
    with pytest.raises(ConfigError, match="--secret-file"):
        keys_of(Settings(secret_file=str(tmp_path / "file" / "x")))


def test_given_keys(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert keys_of(Settings(secret_key="k" * 32, old_secret_keys=("a", "b"))).all == (b"k" * 32, b"a", b"b")
    assert caplog.text == ""
    keys_of(Settings(secret_key="short"))
    assert "shorter than 32" in caplog.text


@pytest.mark.parametrize("mode", ["signed", "external-signed"])
def test_who_shares_ids_must_share_a_key(mode: str) -> None:
    with pytest.raises(ConfigError, match="hotshoe secret") as caught:
        keys_of(Settings().replace(session_ids=mode))
    assert "\n" not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    assert "sesame" not in repr(Settings(secret_key="open sesame", old_secret_keys=("old sesame",)))


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = new_key().encode()
    assert len({derived(key, "login"), derived(key, "state"), key}) == 3
    assert derived(key, "login") == derived(key, "login")


@pytest.mark.parametrize(("word", "mode"), [("yes", "signed"), ("no", "unsigned"), ("0", "unsigned"), ("1", "signed")])
def test_bokehs_switch_means_what_it_says(word: str, mode: str) -> None:
    assert SettingSources({}, {"BOKEH_SIGN_SESSIONS": word}).settings().session_ids == mode


def test_a_switch_that_says_nothing() -> None:
    with pytest.raises(ConfigError, match="BOKEH_SIGN_SESSIONS"):
        SettingSources({}, {"BOKEH_SIGN_SESSIONS": "perhaps"}).settings()
