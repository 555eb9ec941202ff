"""Each parser on its whole corpus, and on inputs that are made from it: always the same, so that the run is too."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest
from tests.fuzz.driver import CORPUS, Finding, check, fuzz
from tests.fuzz.registry import PARSERS
from tests.support.cases import every_case
from tests.support.size import full_size

every_parser = pytest.mark.parametrize("name", PARSERS)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Without what parsers log of wrong inputs, and without warnings for them as errors."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@every_parser
def test_the_corpus(name: str) -> None:
    parser = PARSERS[name]
    inputs = parser.corpus()
    for data in inputs.values():
        parser.run(data)  # imports and caches do not count as memory of an input
    with every_case() as case:
        for file, data in inputs.items():
            with case(file):
                check(parser, data, measured=True)


@pytest.mark.timeout(900)  # a bound of the whole, where the driver has one for each input
@every_parser
def test_new_inputs(name: str) -> None:
    parser = PARSERS[name]
    count = fuzz(parser, seed=1, inputs=parser.inputs * (10 if full_size() else 1))
    assert count.results > 1


def test_each_folder_of_the_corpus_has_its_parser() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(PARSERS)


def test_a_finding_names_its_input() -> None:
    parser = PARSERS["tokens"]
    assert "tokens fails with b'x'" in str(Finding(parser, b"x"))
