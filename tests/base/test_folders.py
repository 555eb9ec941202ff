"""The folders of a user's servers: where they are, and that nobody else can put there what browsers run."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hotshoe.base.folders import cache_folder, is_private, read_private, state_folder, write_private

SRC = Path(__file__).parents[2] / "src" / "hotshoe"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, and next to it the temporary folder."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "cache"


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be another user's."""
    if os.getuid() == 0:
        os.lchown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable, value in (("XDG_STATE_HOME", ""), ("XDG_CACHE_HOME", "not/absolute")):
        monkeypatch.setenv(variable, value)
    assert state_folder() == tmp_path / "home" / ".local" / "state" / "hotshoe"
    assert cache_folder("models") == tmp_path / "home" / ".cache" / "hotshoe" / "models"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert state_folder() == tmp_path / "state" / "hotshoe"
    assert cache_folder("models") == tmp_path / "cache" / "hotshoe" / "models"


def test_there_may_be_no_folder_at_all(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.touch()  # no folder can be made there
    assert cache_folder("models") is not None

    def none_found() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none_found)
    assert cache_folder("models") is None


def test_only_their_owner_may_read_or_write_them(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(cache.parent / "state"))
    before = os.umask(0)
    try:
        folder = cache_folder("models")
        state = state_folder()
    finally:
        os.umask(before)
    assert folder == cache / "hotshoe" / "models"
    assert [mode_of(path) for path in (folder, folder.parent, cache, state)] == [0o700] * 4


Harm = Callable[[Path, pytest.MonkeyPatch], None]


def make_public(path: Path, _: pytest.MonkeyPatch) -> None:
    path.chmod(0o777)


def open_to_group(path: Path, _: pytest.MonkeyPatch) -> None:
    path.chmod(0o770)


def link_elsewhere(path: Path, _: pytest.MonkeyPatch) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def put_file(path: Path, _: pytest.MonkeyPatch) -> None:
    path.rename(path.with_name("elsewhere"))
    path.touch()


@pytest.mark.parametrize(("harm", "part"), [
    (make_public, "hotshoe/models"), (open_to_group, "hotshoe/models"), (give_away, "hotshoe/models"),
    (link_elsewhere, "hotshoe/models"), (put_file, "hotshoe/models"),
    (make_public, "hotshoe"), (give_away, "hotshoe"), (make_public, "."), (give_away, "."),
])  # fmt: skip
def test_a_folder_that_others_can_change_is_not_used(harm: Harm, part: str, cache: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder("models")
    assert folder == cache / "hotshoe" / "models"
    assert is_private(folder)
    harm(cache / part, monkeypatch)
    if os.getuid() == 12345:  # then nothing is this user's any more
        assert cache_folder("models") is None
    else:
        assert cache_folder("models") == cache.parent / "temporary" / f"hotshoe-{os.getuid()}" / "models"


def test_a_link_to_a_private_folder_is_fine_above_ours(cache: Path) -> None:
    cache.with_name("real").mkdir()
    cache.symlink_to(cache.with_name("real"))
    assert cache_folder("models") == cache / "hotshoe" / "models"
    cache.with_name("real").chmod(0o777)
    assert cache_folder("models") != cache / "hotshoe" / "models"


def test_in_the_temporary_folder_nobody_can_be_faster(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.touch()  # no cache of the user's
    temporary = cache.parent / "temporary"
    temporary.chmod(0o1777)
    ours = temporary / f"hotshoe-{os.getuid()}"
    assert cache_folder("models") == ours / "models"
    give_away(ours, monkeypatch)
    assert cache_folder("models") is None
    temporary.chmod(0o777)  # not sticky: whoever likes can rename ours
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert cache_folder("other") is None


def test_files_are_written_whole_and_for_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    write_private(file, b"first")
    write_private(file, b"second")
    assert read_private(file) == b"second"
    assert mode_of(file) == 0o600
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "missing" / "a.js", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_private(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.js", "folder"], "no draft stays"


def plant_pipe(path: Path, _: pytest.MonkeyPatch) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [make_public, give_away, link_elsewhere, plant_pipe])
def test_a_file_that_others_can_have_written_is_not_read(harm: Harm, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.js"
    write_private(file, b"code")
    harm(file, monkeypatch)
    assert read_private(file) is None
    assert read_private(tmp_path / "missing") is None


def test_nothing_else_asks_the_environment_for_folders() -> None:
    asks = re.compile(r"XDG_|[\"'/~]\.cache\b|\.local/state|gettempdir")
    asking = {file.relative_to(SRC).as_posix() for file in SRC.rglob("*.py") if asks.search(file.read_text())}
    assert asking == {"base/folders.py"}
