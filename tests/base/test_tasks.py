from __future__ import annotations

import ast
import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

import hotshoe
from hotshoe.base import tasks
from hotshoe.base.tasks import STOP_GRACE_S, Deadline, supervise


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none takes any time."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(pause_s: float) -> None:
        pauses.append(pause_s)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return pauses


async def test_a_task_that_fails_is_logged_and_starts_again(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs <= 2:
            raise ValueError(f"failure {runs}")

    await tasks.start("counting", run)
    assert runs == 3
    assert [record.getMessage() for record in caplog.records] == [
        "counting has failed and starts again in 0.1 s", "counting has failed and starts again in 0.2 s"]
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)
    assert "failure 2" in caplog.text


async def test_the_pauses_grow_up_to_a_limit(pauses: list[float]) -> None:
    async def run() -> None:
        if len(pauses) < 15:
            raise ValueError

    await supervise("failing", run)
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses[-2:] == [tasks.LONGEST_PAUSE_S] * 2


async def test_after_a_long_life_the_pauses_are_short_again(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "LONGEST_PAUSE_S", -1.0)  # any life is a long one

    async def run() -> None:
        if len(pauses) < 3:
            raise ValueError

    await supervise("failing now and then", run)
    assert pauses == [0.1, 0.1, 0.1]


def _endless(tree: ast.Module) -> set[str]:
    """The coroutine functions of a module that run for ever."""
    return {
        function.name for function in ast.walk(tree) if isinstance(function, ast.AsyncFunctionDef)
        and any(isinstance(node, ast.While) and isinstance(node.test, ast.Constant) for node in function.body)
    }  # fmt: skip


def _started(tree: ast.Module) -> set[str]:
    """The functions whose coroutines a module makes tasks of by itself."""
    made = [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args
            and ast.unparse(node.func).endswith(("create_task", "ensure_future"))]
    return {ast.unparse(each.func).rpartition(".")[2] for each in made if isinstance(each, ast.Call)}


GUARDED = {"usage.py": {"_repeat"}, "tasks.py": {"supervise"}}
"""Those that catch what a round raises themselves."""


def test_what_runs_for_ever_is_supervised() -> None:
    unsupervised = []
    for path in Path(hotshoe.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        bare = _endless(tree) & _started(tree) - GUARDED.get(path.name, set())
        unsupervised += [f"{path}: {name}" for name in bare]
    assert unsupervised == []


def test_the_host_makes_tasks_in_one_way() -> None:
    """It is given what runs, so that the test above can't see it: all of it begins by ``tasks.start``."""
    tree = ast.parse((Path(hotshoe.__file__).parent / "hosts/inline.py").read_text("utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not [name for name in called if name.endswith(("create_task", "ensure_future"))]


async def test_it_ends_when_it_is_cancelled() -> None:
    began = asyncio.Event()

    async def run() -> None:
        began.set()
        await asyncio.Event().wait()

    task = tasks.start("waiting", run)
    await began.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_it_goes_on_when_what_it_waited_for_was_cancelled(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            of_somebody_else = asyncio.get_running_loop().create_future()
            of_somebody_else.cancel()
            await of_somebody_else

    await tasks.start("counting", run)
    assert runs == 2
    assert caplog.messages == ["counting has failed and starts again in 0.1 s"]


def test_what_is_left_shrinks_to_nothing() -> None:
    now_s = 5.0
    deadline = Deadline(4.0, clock=lambda: now_s)
    now_s = 8.0
    assert deadline.left_s == 1.0
    now_s = 10.0
    assert deadline.left_s == 0.0


def test_a_share_leaves_the_rest() -> None:
    now_s = 0.0
    deadline = Deadline(10.0, clock=lambda: now_s)
    now_s = 2.0
    first = deadline.share(0.75)
    assert (first.left_s, first.share(0.5).left_s) == (6.0, 3.0)
    now_s = 8.0
    assert first.left_s == 0.0
    assert deadline.share(0.5).left_s == pytest.approx(1.0)


def test_the_default_is_the_time_for_stopping_a_server() -> None:
    assert Deadline(clock=lambda: 0.0).left_s == STOP_GRACE_S
