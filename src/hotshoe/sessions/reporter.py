"""What a session says of errors: to the log and to listeners, to its pages, and to who sent what raised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import wire
from ..apps import user_traceback
from ..apps.tracebacks import comes_from_app, in_one_line
from ..errors import SessionGone
from ..wire.messages import Outgoing
from .audience import Audience
from .failures import Notices, Repeats, report, report_refusal, viewer_text

if TYPE_CHECKING:
    from .connection import Connection


class Reporter:
    """Reports errors in the code of one session's app. May be used from any thread."""

    def __init__(self, session_id: str, app_url: str, user: str | None, audience: Audience, *, dev: bool) -> None:
        self._session_id = session_id
        self._app_url = app_url
        self._user = user
        self._audience = audience
        self._dev = dev
        self._notices = Notices(dev=dev)
        self._repeats = Repeats()

    def report(self, error: BaseException | None, what: str, *, always: bool = False) -> str:
        """Log an error, if it is a failure (or ``always``), and tell the pages. Returns the id it is logged under."""
        ended = isinstance(error, SessionGone | SystemExit | asyncio.CancelledError)
        if error is None or (ended and not always):
            return ""
        error_id, notice = self._report(error, what)
        if notice:
            self._audience.notify(notice)
        return error_id

    def report_all(self, errors: Sequence[Exception], what: str) -> None:
        """``report`` each."""
        for error in errors:
            self.report(error, what)

    def replies(
        self, origin: Connection, msgtype: str, answers: Sequence[str], error: BaseException
    ) -> Sequence[Outgoing]:
        """The ERRORs that answer messages whose handling raised; the traceback goes out in dev mode only."""
        notice: Mapping[str, Any] = {}
        if comes_from_app(error):
            what = "handling a change from the page" if msgtype == "PATCH-DOC" else f"handling a {msgtype}"
            error_id, notice = self._report(error, what)
        else:
            error_id = report_refusal(error, what=f"a {msgtype}", app=self._app_url, session_id=self._session_id)
        if notice:
            self._audience.notify(notice, besides=origin)
        text, traceback = viewer_text(error_id), None
        if self._dev:
            text, traceback = in_one_line(error), user_traceback(error)
        return [wire.error(msgid, text, traceback, notice) for msgid in answers]

    def _report(self, error: BaseException, what: str) -> tuple[str, Mapping[str, Any]]:
        info = self._repeats.last_of(error)
        if info is None:
            info = report(error, what=what, app=self._app_url, session_id=self._session_id, user=self._user,
                          unreported=self._repeats.unreported(error))
            self._repeats.reported(error, info)
        notice = self._notices.of(error, info)
        return info.error_id, {} if notice is None else {"failure": notice}
