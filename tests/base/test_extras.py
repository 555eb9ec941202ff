"""What is not installed is named, with the way to get it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.base.extras import need

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_what_is_there_is_not_needed() -> None:
    need("--dev", "dev", "asyncio", "json")


def test_one_line_names_what_is_missing_and_the_extra() -> None:
    with pytest.raises(ConfigError) as caught:
        need("--dev", "dev", "asyncio", "no_such_module", "nor_this")
    assert str(caught.value) == "--dev needs no_such_module, nor_this: pip install 'hotshoe[dev]'"


@pytest.mark.parametrize("extra", ["auth", "completion", "dev", "memory", "notebook"])
def test_the_extras_that_lines_name_exist(extra: str) -> None:
    assert extra in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
