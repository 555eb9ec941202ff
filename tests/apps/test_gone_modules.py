"""Pickled objects of classes that an app's script has made."""

from __future__ import annotations

import importlib
import pickle

import pytest
from tests.support.app_files import Build, Write

from hotshoe import seams
from hotshoe.apps.loading import load

SCRIPT = """
import pickle
from bokeh.io import curdoc
class Own: pass
curdoc().template_variables["data"] = pickle.dumps(Own())
curdoc().template_variables["is_own"] = type(pickle.loads(pickle.dumps(Own()))) is Own
"""


def test_they_can_be_read_while_the_session_lives_and_later_the_error_says_why_not(write: Write, build: Build) -> None:
    document = build(load(write({"app.py": SCRIPT}) / "app.py"))
    data = document.template_variables["data"]
    assert document.template_variables["is_own"]
    assert type(pickle.loads(data)).__name__ == "Own"
    seams.dismantle(document, object())
    with pytest.raises(ModuleNotFoundError, match=r"script of a session that has ended.* needs its class in a module"):
        pickle.loads(data)


def test_other_missing_modules_are_as_ever() -> None:
    for name in ("bokeh_app_1.part", "no_such_module"):
        with pytest.raises(ModuleNotFoundError) as caught:
            importlib.import_module(name)
        assert name.endswith("part") or "No module named" in str(caught.value)
