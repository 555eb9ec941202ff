"""`bokeh serve` and hotshoe are asked the same questions; they answer alike, but for a written list of deviations.

The list is tests/support/differential/deviations.py. Each entry names the row of docs/deviations.md that explains it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.differential.deviations import BOKEH, ELSEWHERE, TABLE
from tests.support.differential.flows import flows
from tests.support.differential.handshakes import handshakes
from tests.support.differential.questions import ask, facets, http_questions
from tests.support.differential.two_servers import APPS, SITES, Peers, peers
from tests.support.named_tests import check_places
from tests.support.raw_http import Question, get

from hotshoe import Server

pytestmark = pytest.mark.real

DOCS = Path(__file__).parents[2] / "docs" / "deviations.md"

Difference = tuple[str, Any, Any]
"""A facet, what stock says, what hotshoe says."""
Answers = Callable[[int], Mapping[str, Any]]


def _asking(question: Question) -> Answers:
    return lambda port: facets(ask(port, question))


CONVERSATIONS = [*handshakes(), *flows()]
QUESTIONS: dict[str, tuple[str, Answers]] = {
    **{question.name: (question.site, _asking(question)) for question in http_questions()},
    **{conversation.name: (conversation.site, conversation.hold) for conversation in CONVERSATIONS},
}
"""By name: the site that is asked, and how."""


class Survey:
    """Asks both servers a question when its answer is wanted first; remembers the answers."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._sites: dict[str, Peers] = {}
        self._answers: dict[str, list[Difference]] = {}

    def differences(self, name: str) -> list[Difference]:
        if name not in self._answers:
            site, answers = QUESTIONS[name]
            both = self._peers(site)
            stock, ours = answers(both.stock.port), answers(both.ours.port)
            assert ours, "there is no answer at all"
            self._answers[name] = [(facet, stock.get(facet), ours.get(facet)) for facet in sorted({*stock, *ours})
                                   if stock.get(facet) != ours.get(facet)]
        return self._answers[name]

    def _peers(self, site: str) -> Peers:
        if site not in self._sites:
            self._sites[site] = self._stack.enter_context(peers(site))
        return self._sites[site]


@pytest.fixture(scope="module")
def survey() -> Iterator[Survey]:
    with ExitStack() as stack:
        yield Survey(stack)


def test_questions_have_names_of_their_own() -> None:
    assert len(QUESTIONS) == len(list(http_questions())) + len(CONVERSATIONS)
    assert {site for site, _ in QUESTIONS.values()} == set(SITES)


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_answer_alike_but_for_the_deviations(survey: Survey, name: str) -> None:
    unexplained = [difference for difference in survey.differences(name)
                   if not any(deviation.explains(name, *difference) for deviation in TABLE)]
    assert not unexplained


def test_every_deviation_happens(survey: Survey) -> None:
    found = [(name, *difference) for name in QUESTIONS for difference in survey.differences(name)]
    idle = [deviation for deviation in TABLE
            if deviation.bokeh in ("", BOKEH) and not any(deviation.explains(*each) for each in found)]
    assert not [(deviation.row, deviation.questions, deviation.facet) for deviation in idle]


def _documented() -> set[str]:
    _, *parts = re.split(r"^## (.*)$", DOCS.read_text(), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    lines = [line for line in (sections["HTTP"] + sections["Websockets"]).splitlines() if line.startswith("| ")]
    rows = {re.split(r"(?<!\\)\|", line)[1].strip() for line in lines}
    return rows - {"what", "---"}


def test_the_docs_list_the_same_deviations() -> None:
    assert {deviation.row for deviation in TABLE} | set(ELSEWHERE) == _documented()


def test_what_no_question_shows_has_a_test() -> None:
    check_places(ELSEWHERE.values())


def test_a_refused_autoload_leaves_no_session() -> None:
    with Server(str(APPS / "sliders.py"), port=0) as server:
        assert get(server.port, "/sliders/autoload.js").status == 400
        assert server.statistics().sessions == {"/sliders": 0}
        assert get(server.port, "/sliders/autoload.js?bokeh-autoload-element=spot").status == 200
        assert server.statistics().sessions == {"/sliders": 1}
