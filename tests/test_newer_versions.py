"""`make lint` tells of newer versions of the libraries that have an upper bound, and fails for none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "newer_versions.py"


def run(index: str) -> str:
    """What the script prints with this package index only."""
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_EXTRA_INDEX_URL": "",
                   "PIP_FIND_LINKS": "", "PIP_NO_INDEX": "0"}
    return subprocess.run([sys.executable, SCRIPT], env=environment, check=True, capture_output=True, text=True,
                          timeout=120).stdout


def test_a_newer_version_is_told_and_one_that_is_allowed_is_not(tmp_path: Path) -> None:
    for name, versions in {"uvicorn": ["0.53.0", "99.1.0"], "websockets": ["15.0", "17.4"]}.items():
        folder = tmp_path / name
        folder.mkdir()
        for version in versions:
            (folder / f"{name}-{version}-py3-none-any.whl").touch()
        (folder / "index.html").write_text("".join(f'<a href="{file.name}">{file.name}</a>'
                                                   for file in folder.iterdir()))
    told = run(tmp_path.as_uri()).splitlines()
    assert len(told) == 1
    assert told[0].startswith("uvicorn 99.1.0 is there")


def test_without_an_index_nothing_is_said() -> None:
    assert run("http://127.0.0.1:9/simple") == ""
