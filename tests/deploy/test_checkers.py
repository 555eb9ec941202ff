"""Many combinations of options, each looked at by the program that the configuration is for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from itertools import combinations, product
from pathlib import Path

import pytest
from tests.support.deployed import Certificate, checked, generate
from tests.support.proxy_programs import environment

pytestmark = pytest.mark.real

CHOICES: list[list[list[str]]] = [
    [["--no-tls"], ["--tls", "CERTIFICATE"]],
    [[], ["--domain", "localhost"], ["--domain", "a.example", "--domain", "xn--bcher-kva.example"]],
    [[], ["--prefix", "/a.b"], ["--prefix", "/a/b-c", "--strip-prefix"]],
    [[], ["--upstream", "127.0.0.1:5006", "--upstream", "[::1]:5007", "--upstream", "unix:/run/hotshoe/3.sock"],
     ["--unix-socket", "/run/hotshoe/1.sock"], ["--upstream", "127.0.0.1:1", "--upstream", "127.0.0.1:2"]],
    [[], ["--behind", "10.0.0.0/8", "--behind", "::1"]],
    [[], ["--wsgi", "shop:make()"]],
    [[], ["--static"]],
    [[], ["--listen", "127.0.0.1:8080", "--listen-tls", "127.0.0.1:8443"], ["--listen", "81", "--listen-tls", "444"]],
    [[], ["--max-body-size", "0", "--max-header-size", "1024", "--request-timeout", "0"],
     ["--max-body-size", "1000000000", "--idle", "86400", "--name", "a-b"]],
]


def pairwise() -> list[list[str]]:
    """Options in few combinations such that any two choices of any two options stand together in one of them."""
    numbers = [range(len(choices)) for choices in CHOICES]
    missing = {((i, a), (j, b)) for (i, of_i), (j, of_j) in combinations(enumerate(numbers), 2)
               for a, b in product(of_i, of_j)}
    rows = []
    while missing:
        row = dict(min(missing))
        for i, choices in enumerate(numbers):
            if i not in row:
                row[i] = max(choices, key=lambda a: len(pairs({**row, i: a}) & missing))
        missing -= pairs(row)
        rows.append([word for i, a in sorted(row.items()) for word in CHOICES[i][a]])
    return rows


def pairs(row: Mapping[int, int]) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    return set(combinations(sorted(row.items()), 2))


COMBINATIONS = pairwise()


@pytest.mark.parametrize("target", ["nginx", "apache", "caddy", "haproxy"])
def test_pairs_of_options(target: str, certificate: Certificate, tmp_path: Path) -> None:
    failed = []
    for number, words in enumerate(COMBINATIONS):
        words = [str(certificate.file) if word == "CERTIFICATE" else word for word in words
                 if (target, word) != ("haproxy", "--static")]
        folder = tmp_path / str(number)
        ((name, _),) = generate(target, folder, "sliders.py", *words).items()
        ended = subprocess.run(checked(target, folder / name), capture_output=True, text=True,
                               env=environment(folder), cwd=folder)
        if ended.returncode or "[emerg]" in ended.stderr or "[WARNING]" in ended.stderr:
            failed.append((words, ended.stderr[-600:]))
    assert not failed, failed


def test_the_pairs_are_many() -> None:
    assert 12 <= len(COMBINATIONS) <= 40


@pytest.mark.parametrize("words", [("--prefix", "/a"), ("--prefix", "/a", "--strip-prefix"), ("--no-tls",)])
def test_older_apache(words: tuple[str, ...], certificate: Certificate, tmp_path: Path) -> None:
    tls = () if "--no-tls" in words else ("--tls", str(certificate.file))
    for upstreams in ([], ["--upstream", "127.0.0.1:1", "--upstream", "127.0.0.1:2"]):
        ((name, text),) = generate("apache", tmp_path, "a.py", "--wstunnel", "--domain", "localhost", *words,
                                   *upstreams, *tls).items()
        assert "upgrade=websocket" not in text
        subprocess.run(checked("apache", tmp_path / name), check=True, capture_output=True)
        (tmp_path / name).unlink()
