"""How a session begins and how it ends: hooks, the app's code, and taking the document apart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.settings import settings

from ..apps import App, describe
from ..errors import BuildError
from ..panel_seams import begin_panel, end_panel, forget_panel
from .failures import is_plain_exit
from .session import Session

log = logging.getLogger("hotshoe.session")

HOOK_GRACE_S = 1.0
"""The least time that a destroyed hook gets when the server stops."""


async def build(session: Session, app: App, *, validate: bool = True) -> None:
    """Run the creation hook, then let ``app`` fill the document. Raises ``BuildError``, its cause logged.

    ``validate`` logs what is odd about the document, if bokeh's settings want that.
    """
    if (created := app.hooks.session_created) is not None:
        _, error = await session.outcome(partial(created, session.context))
        session.report(error, "on_session_created")
    _, error = await session.outcome(partial(_fill, session, app, validate))
    if error is not None and not is_plain_exit(error):
        error_id = session.report(error, "building a document", always=True)
        report, _ = await session.outcome(partial(describe, error)) if session.dev else (None, None)
        raise BuildError(session.app_url, error_id, report) from error


def _fill(session: Session, app: App, validate: bool) -> None:
    begin_panel(session.document, by_app=app.begins_panel)
    session.building = True
    try:
        app.build(session.document)
    finally:
        session.building = False
    if validate and settings.perform_document_validation():
        session.document.validate()


async def end(
    session: Session, app: App, *, unless: Callable[[], bool] | None = None, grace_s: float | None = None
) -> bool:
    """End the session: run the destroyed hooks, close its connections, take the document apart.

    ``unless`` is asked once the lane is free, and may call it off. If the lane is not free within ``grace_s``
    (a callback is stuck and the server stops), the hooks run without the lock; each gets as long. Returns whether
    the session ended by this call.
    """
    beginning = asyncio.ensure_future(session.outcome(partial(session.begin_to_end, unless), rites=True))
    if not await _is_done(beginning, grace_s):
        _give_up_lane(session)
    ended, _ = await beginning
    if not ended:
        return False
    patience_s = None if grace_s is None else max(grace_s, HOOK_GRACE_S)
    await _perform(session, partial(end_panel, session.document), patience_s)
    for hook in _destroyed_hooks(session, app):
        await _perform(session, partial(hook, session.context), patience_s)
    await _perform(session, partial(_dismantle, session), patience_s)
    return True


async def _perform(session: Session, rite: Callable[[], Any], patience_s: float | None) -> None:
    outcome = asyncio.ensure_future(session.outcome(rite, rites=True))
    if await _is_done(outcome, patience_s):
        session.report(outcome.result()[1], "on_session_destroyed")
    else:
        _give_up_lane(session)
        outcome.cancel()


async def _is_done(future: asyncio.Future[Any], timeout_s: float | None) -> bool:
    done, _ = await asyncio.wait([future], timeout=timeout_s)
    return bool(done)


def _give_up_lane(session: Session) -> None:
    log.warning("session %s is still busy: it is ended without waiting for its callback", session.id)
    session.abandon()


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

