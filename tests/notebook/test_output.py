"""The cell's output is text that can't be broken out of, with all that the browser must know, and no more."""

from __future__ import annotations

import json
import re

from hotshoe.notebook.output import output

PLACE = (4321, "/the-secret/app")


def plan_of(html: str) -> dict[str, object]:
    found = re.search(r"\}\)\((\{.*\})\);</script>", html)
    assert found is not None
    plan: dict[str, object] = json.loads(found[1])
    return plan


def test_the_browser_learns_where_the_app_is() -> None:
    html = output(*PLACE, "id.signature", height=300)["text/html"]
    assert plan_of(html) == {"port": 4321, "path": "/the-secret/app", "session": "id.signature", "height": 300}


def test_the_height_may_be_left_to_the_app() -> None:
    assert plan_of(output(*PLACE, "id")["text/html"])["height"] is None


def test_who_runs_no_scripts_is_told_in_words() -> None:
    both = output(*PLACE, "id")
    assert "run the cell again" in re.sub(r"(?s)<script>.*</script>", "", both["text/html"])
    assert "secret" not in both["text/plain"]


def test_nothing_breaks_out_of_its_place() -> None:
    html = output(1, '</script><script>"', '"><script>')["text/html"]
    assert html.count("<script>") == html.count("</script>") == 1
    assert 'data-session="&quot;&gt;&lt;script&gt;"' in html


def test_the_script_is_whole_without_its_comments() -> None:
    code = output(*PLACE, "id")["text/html"]
    assert "//" not in re.sub(r"https?://", "", code)
