from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from bokeh.core.properties import String
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models.ui import Pane
from bokeh.models.widgets import Slider
from bokeh.util.compiler import JavaScript, TypeScript
from tests.support.needs import need_program

from hotshoe import seams
from hotshoe.base.errors import CompileError
from hotshoe.pages import custom_models
from hotshoe.pages.custom_models import compile_model, model_script
from hotshoe.pages.page import render_page
from hotshoe.seams.needs import needs_of

if TYPE_CHECKING:
    from pathlib import Path

JS = 'import {Slider} from "models/widgets/sliders/slider"; export class Own extends Slider { static __name__ = "Own" }'
TS = """
import {Pane, PaneView} from "models/ui/pane"
import type * as p from "core/properties"

export class TypedView extends PaneView {
  declare model: Typed
  override render(): void { super.render(); this.shadow_el.append(this.model.text) }
}
export namespace Typed {
  export type Attrs = p.AttrsOf<Props>
  export type Props = Pane.Props & {text: p.Property<string>}
}
export interface Typed extends Typed.Attrs {}
export class Typed extends Pane {
  declare properties: Typed.Props
  static {
    this.prototype.default_view = TypedView
    this.define<Typed.Props>(({Str}) => ({text: [Str, ""]}))
  }
}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own, and nothing remembered from another."""
    need_program("node", "nodejs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(custom_models, "_compiled", {})
    monkeypatch.setattr(custom_models, "_failed", {})


def own_slider(code: str = JS) -> type[Any]:
    class Own(Slider):
        __implementation__ = JavaScript(code)

    return Own


def digest_of(cls: type[Model]) -> str:
    [name] = [need for need in needs_of([cls()]) if need.startswith("model:")]
    return name.removeprefix("model:")


def document(model: Model) -> Document:
    doc = Document()
    doc.add_root(model)
    return doc


def test_typescript_is_compiled_and_served_with_the_page() -> None:
    class Typed(Pane):
        __implementation__ = TypeScript(TS)
        text = String()

    html = render_page(document(Typed()), app_url="/app").text
    digest = digest_of(Typed)
    assert f"_hotshoe/models/{digest}.js" in html
    script = model_script(digest)
    assert script is not None
    assert "TypedView" in script
    assert "declare" not in script


def test_without_a_folder_they_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch,
                                                  caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(custom_models, "cache_folder", lambda name: None)
    custom_models._say_that_memory_is_used.cache_clear()
    for code in (JS, JS + "// another"):
        assert compile_model(digest_of(own_slider(code)))
    assert caplog.text.count("Compiled custom models are kept in memory only") == 1


def test_bundles_do_not_take_each_others_place() -> None:
    script = model_script(digest_of(own_slider()))
    other = model_script(digest_of(own_slider(JS + "// other")))
    assert script is not None
    assert other is not None
    entries = [re.findall(r'"custom/main\w*"', text) for text in (script, other)]
    assert len({*entries[0], *entries[1]}) == 2
    subprocess.run([need_program("node"), "--check", "-"], input=script, text=True, check=True, timeout=30)


def test_sessions_that_define_the_same_class_share_one_script() -> None:
    assert digest_of(own_slider()) == digest_of(own_slider())
    assert digest_of(own_slider()) != digest_of(own_slider(JS + " "))


def test_an_error_fails_the_page_and_says_where() -> None:
    class Broken(Pane):
        __implementation__ = TypeScript("export class Broken extends { x")

    for _ in range(2):
        with pytest.raises(CompileError, match=r"(?s)custom model Broken does not compile.*Broken\.ts:1:\d+") as caught:
            render_page(document(Broken()), app_url="/app")
        assert "\x1b" not in str(caught.value)


def test_a_missing_node_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bokeh.util.compiler._nodejs", None)
    monkeypatch.setenv("BOKEH_NODEJS_PATH", "/nonexistent/node")
    digest = digest_of(own_slider(JS + "// no node"))
    with pytest.raises(CompileError, match=r"node\.js"):
        compile_model(digest)
    monkeypatch.delenv("BOKEH_NODEJS_PATH")
    assert compile_model(digest)


def test_a_file_that_is_missing_is_an_error() -> None:
    class FromNowhere(Pane):
        __implementation__ = "nowhere.ts"

    with pytest.raises(CompileError, match=r"FromNowhere can't be read.*nowhere\.ts"):
        needs_of([FromNowhere()])


def test_sessions_that_ask_at_once_compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    bundle = seams.bundle_custom_model

    def counting(source: Any) -> str:
        counts[source.digest] += 1
        return bundle(source)

    monkeypatch.setattr(custom_models, "bundle_custom_model", counting)
    digest = digest_of(own_slider())
    scripts: list[str] = []
    threads = [threading.Thread(target=lambda: scripts.append(compile_model(digest))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {digest: 1}
    assert len(set(scripts)) == 1
    assert len(scripts) == 4


def test_the_next_process_finds_the_script_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = digest_of(own_slider())
    script = compile_model(digest)
    monkeypatch.setattr(custom_models, "_compiled", {})
    monkeypatch.setattr(custom_models, "bundle_custom_model", lambda source: pytest.fail("compiled again"))
    assert compile_model(digest) == script
    assert [path.suffix for path in (tmp_path / "cache/hotshoe/models").iterdir()] == [".js"]


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "cache"))
    assert compile_model(digest_of(own_slider()))


def test_what_others_can_have_put_there_is_not_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder = tmp_path / "cache" / "hotshoe" / "models"
    folder.mkdir(parents=True)
    planted = folder / f"{'0' * 32}.js"
    planted.write_text("alert()")
    assert model_script("0" * 32) == "alert()"
    for path in (planted, folder, folder.parent):
        before = path.stat().st_mode
        path.chmod(0o777)
        assert model_script("0" * 32) is None
        path.chmod(before)
    assert model_script("0" * 32) == "alert()"


@pytest.mark.parametrize("digest", ["", "..", "../../etc/passwd", "0" * 32, "A" * 32, "0" * 31, "0" * 32 + "\n"])
def test_other_digests_have_no_script(digest: str) -> None:
    assert model_script(digest) is None


def test_a_change_in_an_imported_file_is_a_change(tmp_path: Path) -> None:
    imported = tmp_path / "part.ts"
    imported.write_text("export const x = 1")
    digests = []
    for code in ("export const x = 1", "export const x = 2"):
        imported.write_text(code)
        cls = own_slider('import {x} from "./part"\n' + JS)
        cls.__base_path__ = str(tmp_path)
        digests.append(digest_of(cls))
    assert digests[0] != digests[1]
