from __future__ import annotations

from pathlib import Path

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.deploy import File, as_text, missing_requirements, write

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
    with pytest.raises(ConfigError, match="b exists; replace it with --force"):
        write(TWO, tmp_path)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "mine"
    write(TWO, tmp_path, force=True)
    assert (tmp_path / "b").read_text() == "2\n"


def test_a_link_to_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists; replace"):
        write(TWO, tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="--output"):
            write(TWO, folder)


YOURS = (File("b", "2\n"), File("requirements.txt", "# More.\nhotshoe[wsgi]\n", is_yours=True))


@pytest.mark.parametrize("force", [True, False])
def test_what_is_yours_stays_in_any_case(tmp_path: Path, force: bool) -> None:
    assert missing_requirements(YOURS, tmp_path) == ()
    (tmp_path / "requirements.txt").write_text("flask")
    says = f"{tmp_path}/requirements.txt is not changed; add this line to it: hotshoe[wsgi]"
    assert missing_requirements(YOURS, tmp_path) == (says,)
    assert write(YOURS, tmp_path, force=force) == (tmp_path / "b",)
    assert (tmp_path / "requirements.txt").read_text() == "flask"


@pytest.mark.parametrize(("text", "has"), [
    ("flask\nhotshoe[wsgi]\n", True), ("HotShoe [redis, WSGI]>=1 ; python_version > '3'", True),
    ("hotshoe[wsgi] @ x", True),
    ("hotshoe", False), ("hotshoe-more[wsgi]", False), ("# hotshoe[wsgi]", False), ("", False), ("\0\xff[", False),
])
def test_requirements_that_are_there(text: str, has: bool, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(text.encode("latin-1"))
    assert (missing_requirements(YOURS, tmp_path) == ()) is has


def test_a_link_to_nowhere_is_yours_too(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="can't be read"):
        missing_requirements(YOURS, tmp_path)
    assert write(YOURS, tmp_path) == (tmp_path / "b",)
    assert not (tmp_path / "elsewhere").exists()
