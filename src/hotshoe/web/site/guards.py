"""A function that decides who may open the apps: ``guard=``, like a dependency of FastAPI that refuses.

It is asked as a site is asked, for everything of an app: pages, websockets, scripts, files. A framework's own guards
see only what the framework routes itself, and often only HTTP.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ...auth.calls import Calls
from ...auth.identity import user_from
from ...base.errors import ConfigError
from ...http.scopes import ADMISSION, Receive, Scope, Send
from .admission import ADMITTED, Admission, SiteCheck

Guard = Callable[[Request], Any]


def is_function(guard: Any) -> bool:
    """Whether ``guard=`` is a function, and not an extension. Raises ``ConfigError`` for one that can't be a guard.

    An instance of a class does not count: FastAPI's ``HTTPBasic()`` only reads a password, and checks none.
    """
    if not inspect.isroutine(guard) and not isinstance(guard, partial):
        return False
    yields = inspect.isgeneratorfunction(guard) or inspect.isasyncgenfunction(guard)
    # A parameter's default may be FastAPI's Depends(…), which only FastAPI fills in.
    if yields or len(inspect.signature(guard).parameters) != 1:
        raise ConfigError(f"guard= can't be {guard!r}: a guard is a function of the page's request, without other "
                          "parameters and without yield. It returns the user or True, or raises HTTPException")
    return True


class GuardCheck(SiteCheck):
    """Asks a function who may open an app. A result that is neither ``True`` nor a user lets nobody in."""

    def __init__(self, guard: Guard, prefix: str = "") -> None:
        super().__init__(self._respond, prefix)
        self._guard = guard
        self._calls = Calls()

    def stop(self) -> None:
        """End the threads of the function."""
        self._calls.stop()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope, Request(scope, receive)))(scope, receive, send)

    async def _answer(self, scope: Scope, request: Request) -> Response:
        try:
            found = await self._calls.run(self._guard, request)
        except HTTPException as refusal:
            detail: Any = refusal.detail  # FastAPI's may be any JSON data
            return PlainTextResponse(detail if isinstance(detail, str) else json.dumps(detail, default=str),
                                     refusal.status_code, refusal.headers)
        if isinstance(found, Response):
            return found
        user = user_from(scope.get("user")) if found is True else user_from(found, "the function guard=")
        if found is not True and user is None:
            return PlainTextResponse("You may not open this.", 403)
        admission: Admission = scope[ADMISSION]
        proof = admission.admit(admission.app, user=user, session=scope.get("session"))
        return Response(status_code=ADMITTED, headers=proof)
