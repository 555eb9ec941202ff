"""Files that clients may read. What a front makes of them is in web/files/test_static.py, what a host in hosts/."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotshoe.base.errors import RequestError
from hotshoe.base.files import find_regular, inode_of, normalized_name, open_regular, read_part, refusal_of


@pytest.mark.parametrize(("name", "normalized"), [
    ("a.js", "a.js"), ("./x//a.js", "x/a.js"), ("/x/a.js", "x/a.js"), ("x/", "x/"), ("", "")])
def test_one_name_for_all_spellings(name: str, normalized: str) -> None:
    assert normalized_name(name) == normalized


@pytest.mark.parametrize("name", ["..", "x/../a.js", "x\\a.js", "a\0.js"])
def test_names_that_may_mean_something_else(name: str) -> None:
    with pytest.raises(RequestError):
        normalized_name(name)


def test_links_lead_out_of_a_folder_only_where_they_may(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(RequestError) as caught:
        find_regular(tmp_path / "root", "link")
    assert caught.value.status == 403
    path, status = find_regular(tmp_path / "root", "link", follow_links=True)
    assert (path, status.st_size) == ((tmp_path / "outside").resolve(), 7)


def test_a_part_is_of_the_file_that_was_found(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("0123456789")
    inode = inode_of(file.stat())
    assert read_part(file, inode, 3, 4) == b"3456"
    assert read_part(file, inode, 9, 4) == b"9"
    assert read_part(file, inode, 10, 4) == b""
    (tmp_path / "other").write_text("other")
    (tmp_path / "other").rename(file)
    with pytest.raises(RequestError) as caught:
        read_part(file, inode, 0, 4)
    assert caught.value.status == 503
    file.unlink()
    with pytest.raises(RequestError) as caught:
        read_part(file, inode, 0, 4)
    assert caught.value.status == 404


@pytest.mark.parametrize(("error", "status"), [
    (PermissionError(13, "denied"), 403), (FileNotFoundError(2, "none"), 404), (OSError(24, "too many open"), 503)])
def test_what_an_error_of_the_system_means_to_a_client(error: OSError, status: int) -> None:
    assert refusal_of(error).status == status


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RequestError):
        find_regular(tmp_path, "pipe")
    with pytest.raises(RequestError):
        read_part(tmp_path / "pipe", "", 0, 1)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files can't be counted here")
def test_a_folder_in_place_of_a_file_keeps_nothing_open(tmp_path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(20):
        with pytest.raises(IsADirectoryError):
            open_regular(tmp_path)
    assert count() < before + 20
