"""The beginning and the end of a session: hooks, the app's code, taking the document apart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.settings import settings

from ..apps import App
from ..base.errors import BuildError, RequestError
from ..base.first_imports import is_half_made, order
from ..base.tasks import Deadline
from ..base.tracebacks import describe
from ..seams.panel import ask_panel, begin_panel, end_panel, forget_panel
from .blank import Blank, is_blank
from .failures import is_plain_exit
from .session import Session

log = logging.getLogger("hotshoe.session")

CALLBACK_SHARE = 0.45
"""Share of the time for stopping the server that a running callback gets."""
HOOK_SHARE = 0.75
"""Share of the time left then that each destroyed hook gets."""
HOOK_LEAST_S = 0.05
"""The least that each hook gets, also the last of many slow ones."""
TASKS_S = 1.0
"""How long the session waits at most until the app's cancelled tasks have ended."""


class HalfMadeModule(Exception):
    """The app got a module that another thread was importing: in another try it gets a whole one."""


async def build(session: Session, app: App, *, validate: bool = True, is_last_try: bool = True) -> None:
    """Run the creation hook, then let ``app`` fill the document.

    Raises ``BuildError``, its cause logged, ``RequestError`` if the app refuses its visitor, and, unless it is the last
    try, ``HalfMadeModule``.

    ``validate`` logs flaws of the document, unless bokeh's settings turn that off.
    """
    session.set_building(True)
    passed_before = order.passed_count
    try:
        if (created := app.hooks.session_created) is not None:
            _, error = await session.lane.outcome(partial(created, session.context))
            session.has_begun = True
            session.reporter.report(error, "on_session_created")
        _, error = await session.lane.outcome(partial(_fill, session, app, validate))
    finally:
        session.set_building(False)
    if isinstance(error, RequestError):
        raise error
    if not is_last_try and order.passed_count != passed_before and is_half_made(error):
        raise HalfMadeModule from error
    if error is not None and not is_plain_exit(error):
        error_id = session.reporter.report(error, "building a document", always=True)
        report, _ = await session.lane.outcome(partial(describe, error)) if session.dev else (None, None)
        raise BuildError(session.app_url, error_id, report) from error


def _fill(session: Session, app: App, validate: bool) -> None:
    begin_panel(session.document, by_app=app.begins_panel)
    asked = None if session.is_export else ask_panel(session.document)
    session.callbacks.building = True
    try:
        app.build(session.document)
    finally:
        session.callbacks.building = False
        if not session.is_export:  # also if the code has ended early: a visitor who may see nothing sees no error
            ask_panel(session.document, asked, has_run=True)
    if app.fills and not session.document.roots and is_blank(session.document):
        session.blank = Blank(session)
    if validate and settings.perform_document_validation():
        session.document.validate()


async def end(
    session: Session, app: App, *, unless: Callable[[], bool] | None = None, deadline: Deadline | None = None
) -> bool:
    """End the session: run the destroyed hooks, cancel its tasks, close its connections, take the document apart.

    Once the lane is free, ``unless()`` is called; if it is true, the session lives on. If there is a ``deadline`` (the
    server stops) and the lane is not free within a share of it (a callback is stuck), the hooks run without the lock.
    Each hook gets a share of the time left. Returns whether this call has ended the session.
    """
    beginning = asyncio.ensure_future(session.lane.outcome(partial(session.begin_to_end, unless), even_if_ended=True))
    if not await _is_done(beginning, None if deadline is None else deadline.share(CALLBACK_SHARE).left_s):
        give_up_lane(session)
    ended, _ = await beginning
    if not ended:
        return False
    await _perform(session, partial(end_panel, session.document), deadline)
    for hook in _destroyed_hooks(session, app):
        await _perform(session, partial(hook, session.context), deadline)
    patience_s = TASKS_S if deadline is None else min(TASKS_S, deadline.share(HOOK_SHARE).left_s)
    if left := await session.tasks.end(patience_s):
        log.warning("session %s has ended, but %d of its tasks still run: let them end when they get CancelledError",
                    session.context.name, left)
    await _perform(session, partial(_dismantle, session), deadline)
    return True


async def _perform(session: Session, step: Callable[[], Any], deadline: Deadline | None) -> None:
    patience_s = None if deadline is None else max(deadline.share(HOOK_SHARE).left_s, HOOK_LEAST_S)
    outcome = asyncio.ensure_future(session.lane.outcome(step, even_if_ended=True))
    if await _is_done(outcome, patience_s):
        session.reporter.report(outcome.result()[1], "on_session_destroyed")
    else:
        give_up_lane(session)
        outcome.cancel()


async def _is_done(future: asyncio.Future[Any], timeout_s: float | None) -> bool:
    done, _ = await asyncio.wait([future], timeout=timeout_s)
    return bool(done)


def give_up_lane(session: Session) -> None:
    """Do not wait for the callback that still runs: later work runs beside it."""
    log.warning("session %s is still busy: it is ended without waiting for its callback", session.context.name)
    session.abandon()


def discard(session: Session) -> None:
    """End a session of which no code has run, nor waits to run: on the loop, without hooks."""
    session.begin_to_end()
    _dismantle(session)


def _dismantle(session: Session) -> None:
    try:
        forget_panel(session.document)
    finally:
        session.dismantle()


def _destroyed_hooks(session: Session, app: App) -> list[Callable[[Any], Any]]:
    hooks = list(session.document.session_destroyed_callbacks)
    session.document.session_destroyed_callbacks = set()
    if app.hooks.session_destroyed is not None:
        hooks.append(app.hooks.session_destroyed)
    return hooks
