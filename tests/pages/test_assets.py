from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.needs import need_module, need_program

from hotshoe.pages.assets import bokehjs_dir, component_script, file_version, page_script
from hotshoe.seams.bokeh_extensions import find_extension

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_script_is_javascript_with_a_version() -> None:
    asset = page_script()
    assert b"WebSocket" in asset.body
    assert asset.content_type == "application/javascript"
    assert len(asset.version) == 128


def test_the_elements_script_is_javascript_with_a_version() -> None:
    asset = component_script()
    subprocess.run([need_program("node"), "--check", "-"], input=asset.body, check=True, timeout=30)
    assert b'customElements.define("bokeh-app"' in asset.body
    assert asset.content_type == "application/javascript"
    assert asset.version not in ("", page_script().version)


def test_bokehjs_is_there() -> None:
    assert (bokehjs_dir() / "js" / "bokeh.min.js").is_file()
    assert len(file_version(bokehjs_dir() / "js" / "bokeh.min.js")) == 128


@pytest.mark.parametrize("name", ["..", "../etc", "", ".", "os", "bokeh", "__main__", "xml.etree", "a/b", "none_such"])
def test_what_is_no_extension_has_no_folder(name: str) -> None:
    assert find_extension(name) is None


def test_an_extension_is_found_without_importing_it() -> None:
    need_module("panel")
    code = ("import sys\nfrom hotshoe.seams.bokeh_extensions import find_extension\n"
            "assert find_extension('panel').file.name == 'panel.min.js'\n"
            "assert find_extension('panel').file.is_file()\n"
            "assert 'panel' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def make_package(folder: Path, name: str, package_json: str = "{}") -> None:
    (folder / name / "dist").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / name / "bokeh.ext.json").write_text("{}")
    (folder / name / "package.json").write_text(package_json)
    (folder / name / "dist" / f"{name}.js").write_text("")


def test_a_package_becomes_known_when_the_path_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "late_extension")
    assert find_extension("late_extension") is None
    monkeypatch.syspath_prepend(tmp_path)
    found = find_extension("late_extension")
    assert found is not None
    assert found.file.parent == tmp_path / "late_extension" / "dist"


def test_a_bundle_outside_its_package_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "leaky_extension", '{"main": "../../etc/passwd"}')
    monkeypatch.syspath_prepend(tmp_path)
    assert find_extension("leaky_extension") is None
