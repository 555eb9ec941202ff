from __future__ import annotations

from pathlib import Path

import pytest

from hotshoe.deploy import File, as_text, write
from hotshoe.errors import ConfigError

TWO = (File("a", "1\n"), File("b", "2\n"))


def test_one_file_is_printed_as_it_is() -> None:
    assert as_text(TWO[:1]) == "1\n"


def test_several_have_their_names_before_them() -> None:
    lines = as_text(TWO).splitlines()
    assert [line[:8] for line in lines] == ["# ---- a", "1", "", "# ---- b", "2"]


def test_a_folder_is_made(tmp_path: Path) -> None:
    paths = write(TWO, tmp_path / "x" / "y")
    assert [(path.name, path.read_text()) for path in paths] == [("a", "1\n"), ("b", "2\n")]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ConfigError, match="b exists already; --force"):
        write(TWO, tmp_path)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "mine"
    write(TWO, tmp_path, force=True)
    assert (tmp_path / "b").read_text() == "2\n"


def test_a_link_to_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists already"):
        write(TWO, tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="--output"):
            write(TWO, folder)
