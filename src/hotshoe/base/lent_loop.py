"""An event loop that app code on other threads may use as if it ran inside of it.

``lend`` gives any loop a class that makes it safe there: what is scheduled from another thread passes through
``call_soon_threadsafe``. Inside of a piece of app code (``call_with``) it waits until the piece has ended, as it does
on the loop's own thread: a task never meets a script that is still running.

There, ``asyncio.get_running_loop()`` returns the lent loop. ``install`` replaces that function, and nothing sets the
thread's running loop: so ``asyncio.run``, other loops and libraries that refuse to work inside of a loop go on working.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import sys
import threading
from asyncio import _get_running_loop
from asyncio import all_tasks as _asyncios_all_tasks
from asyncio import current_task as _asyncios_current_task
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from .app_tasks import AppTasks, owner
from .import_hooks import names_of
from .logs import PacedLog
from .tracebacks import place_of

if TYPE_CHECKING:
    _Loop = asyncio.AbstractEventLoop
else:
    _Loop = object

T = TypeVar("T")

_log = PacedLog(logging.getLogger("hotshoe.app"), most=1)

OUTSIDE = ("django.", "asgiref.", "playwright.", "panel.io.", "panel.widgets.")
"""Modules that see no running loop on these threads: they refuse to work inside of one, or ask whether they are on its
thread."""


class _Here(threading.local):
    """What this thread does with a lent loop."""

    loop: LentLoop | None = None
    """The loop that a piece of app code uses on this thread; ``None`` outside of such pieces."""
    is_running: bool = False
    """Whether that loop counts as running on this thread."""
    calls: list[AwayCall | AwayTimer] | None = None
    """Calls that wait for the end of the piece."""


here = _Here()
_servers_own: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
"""Loops that app code can't stop or change."""


class AwayCall(asyncio.Handle):
    """A call that was scheduled from another thread than the loop's. It can be cancelled on any thread."""

    _handle: asyncio.Handle | None = None

    def begin(self, loop: LentLoop) -> None:
        """Schedule it, on the loop's thread."""
        callback, args = self._callback, self._args  # type: ignore[attr-defined]
        if callback is not None and args is not None:  # else it was cancelled
            # Not a method of this object: its frame would keep a failed task alive, so that nobody hears of the error.
            self._handle = loop.call_soon(callback, *args, context=self._context)  # type: ignore[attr-defined]
            if self.cancelled():  # just now, by a thread that has not seen the handle
                self._handle.cancel()

    def cancel(self) -> None:
        """Cancel it."""
        super().cancel()
        if self._handle is not None:
            self._handle.cancel()


class AwayTimer(asyncio.TimerHandle):
    """A timer of app code. It can be made and cancelled on any thread; a timer of uvloop can't."""

    _timer: asyncio.TimerHandle | None = None

    def begin(self, loop: LentLoop) -> None:
        """Start it, on the loop's thread."""
        if not self.cancelled():
            self._timer = loop.call_at(self.when(), self, context=self._context)  # type: ignore[attr-defined]

    def cancel(self) -> None:
        """Cancel it."""
        asyncio.Handle.cancel(self)
        timer, self._timer = self._timer, None
        if timer is not None:
            self._loop.run_here(timer.cancel)  # type: ignore[attr-defined]

    def __call__(self) -> None:
        callback, args = self._callback, self._args  # type: ignore[attr-defined]
        self._timer = None  # they keep each other
        if callback is not None and args is not None:
            callback(*args)


class LentLoop(_Loop):
    """Methods of a lent loop: the same on the loop's thread, and safe on all others."""

    def call_later(self, delay: float, callback: Any, *args: Any,  # type: ignore[override]
                   context: contextvars.Context | None = None) -> Any:
        if self._is_own_timer(callback):
            return super().call_later(delay, callback, *args, context=context)
        return self._schedule(AwayTimer(self.time() + delay, callback, args, self, context))

    def call_at(self, when: float, callback: Any, *args: Any,  # type: ignore[override]
                context: contextvars.Context | None = None) -> Any:
        if self._is_own_timer(callback):
            return super().call_at(when, callback, *args, context=context)
        return self._schedule(AwayTimer(when, callback, args, self, context))

    def _is_own_timer(self, callback: Any) -> bool:
        """Whether only the loop's thread will touch a timer: it is the server's, or inside of an ``AwayTimer``."""
        return _get_running_loop() is self and (owner.get() is None or type(callback) is AwayTimer)

    def _schedule(self, call: Any) -> Any:
        if _get_running_loop() is self:
            call.begin(self)
        elif here.loop is self and here.calls is not None:
            here.calls.append(call)
        else:
            self.call_soon_threadsafe(call.begin, self)
        return call

    def _is_away(self) -> bool:
        """Whether the loop runs, on another thread than this one."""
        return self.is_running() and _get_running_loop() is not self

    def run_here(self, function: Callable[..., Any], *args: Any) -> None:
        """Call ``function`` on the loop's thread: at once if this is it, or if the loop does not run."""
        if not self._is_away():
            function(*args)
        else:
            self.call_soon(function, *args)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        tasks = owner.get()
        is_away = self._is_away()
        if is_away:
            options.pop("eager_start", None)  # it would run on this thread
        if tasks is None or not tasks.are_to_have(coro, sys._getframe(1)):  # noqa: SLF001
            return asyncio.Task(coro, loop=self, **options) if is_away else super().create_task(coro, **options)
        return tasks.new(self, coro, options)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        self.run_here(partial(super().add_reader, fd, callback, *args))

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        self.run_here(partial(super().add_writer, fd, callback, *args))

    def remove_reader(self, fd: Any) -> bool:
        if not self._is_away():
            return super().remove_reader(fd)
        self.call_soon(super().remove_reader, fd)
        return True

    def remove_writer(self, fd: Any) -> bool:
        if not self._is_away():
            return super().remove_writer(fd)
        self.call_soon(super().remove_writer, fd)
        return True

    def run_until_complete(self, future: Any) -> Any:
        """On another thread than the loop's: run ``future`` on the loop, and wait for it."""
        if not self.is_running():
            return super().run_until_complete(future)
        if _get_running_loop() is not self:
            return await_on(self, future)
        if isinstance(self, asyncio.BaseEventLoop) and hasattr(self, "_nest_patched"):
            return super().run_until_complete(future)  # that of nest_asyncio, which came before hotshoe
        return _refuse(future)

    def stop(self) -> None:
        """Stop it, if the caller may (``keep_running``)."""
        if self._is_callers("can't stop the event loop, which is the server's; to end the server, use "
                            "os.kill(os.getpid(), signal.SIGTERM)"):
            super().stop()

    def set_task_factory(self, factory: Any) -> None:
        """Make tasks by ``factory``, if the caller may decide that."""
        if self._is_callers("can't set the task factory of the event loop, which is the server's; it has no effect"):
            super().set_task_factory(factory)

    def set_exception_handler(self, handler: Any) -> None:
        """Call ``handler`` with errors that nobody handles, if the caller may decide that."""
        if self._is_callers("can't set the exception handler of the event loop, which is the server's; use "
                            "hotshoe.on_exception, or handle errors in the task itself"):
            super().set_exception_handler(handler)

    def _is_callers(self, refusal: str) -> bool:
        """Whether the caller of the method may change the loop for all; if not, the log says why."""
        if owner.get() is None or self not in _servers_own:
            return True
        place = place_of(sys._getframe(2))  # noqa: SLF001
        _log.warning("%s: an app's code %s", place, refusal, kind=(place, refusal))
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        tasks = getattr(context.get("future"), "owner", None)
        error = context.get("exception")
        if not isinstance(tasks, AppTasks) or error is None or not tasks.report(error):
            super().call_exception_handler(context)


def lend(loop: asyncio.AbstractEventLoop) -> None:
    """Make ``loop``, on which the caller runs, safe for app code on other threads.

    Nothing happens if its class can't be changed, as that of a loop in Rust: then it never counts as running there.
    """
    if isinstance(loop, LentLoop):
        return
    try:
        loop.__class__ = _lent_class(type(loop))  # type: ignore[arg-type]
    except TypeError:
        return
    assert isinstance(loop, LentLoop)
    if isinstance(loop, asyncio.BaseEventLoop):
        # nest_asyncio replaces the method of the class, so that it runs the loop on any thread.
        loop.run_until_complete = partial(_run_nested, loop)


@cache
def _lent_class(kind: Any) -> type[LentLoop]:
    here_call_soon = kind.call_soon

    def call_soon(self: LentLoop, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if _get_running_loop() is self:  # each step of each task comes here
            return here_call_soon(self, callback, *args, context=context)
        return self._schedule(AwayCall(callback, args, self, context))

    members: dict[str, Any] = {"call_soon": call_soon}
    if not issubclass(kind, asyncio.BaseEventLoop):
        members["_nest_patched"] = True  # nest_asyncio raises an error for loops that it can't patch; it need not
    return type(f"Lent{kind.__name__.lstrip('_')}", (LentLoop, kind), members)


def keep_running(loop: asyncio.AbstractEventLoop) -> None:
    """Let no app code stop ``loop``, which is the server's own, or change how it works: that would be so for all."""
    _servers_own.add(loop)


def _run_nested(loop: LentLoop, future: Any) -> Any:
    if _get_running_loop() is not loop and loop.is_running():
        return await_on(loop, future)
    return type(loop).run_until_complete(loop, future)


def await_on(loop: asyncio.AbstractEventLoop, awaitable: Any) -> Any:
    """Await ``awaitable`` on the loop while this thread, which is not the loop's, waits. Returns its result."""
    if here.loop is not None and here.loop is loop:  # it may await what the piece has scheduled
        _begin_calls(here.loop)
    return asyncio.run_coroutine_threadsafe(_result_of(awaitable), loop).result()


async def _result_of(awaitable: Any) -> Any:
    return await awaitable


def _refuse(future: Any) -> Any:
    if asyncio.iscoroutine(future):
        future.close()
    raise RuntimeError("This event loop is already running: await the coroutine instead, or use nest_asyncio with the "
                       "setting --loop asyncio (it can't patch uvloop)")


def call_with(loop: asyncio.AbstractEventLoop, is_running: bool, function: Callable[..., T], *args: Any) -> T:
    """Run a piece of app code on this thread, which is not the loop's.

    With ``is_running`` the loop counts as running here. What the piece schedules begins when it has ended.
    """
    if not isinstance(loop, LentLoop):
        return function(*args)
    here.loop, here.is_running, here.calls = loop, is_running, []
    try:
        return function(*args)
    finally:
        try:
            _begin_calls(loop)
        finally:
            here.loop = here.calls = None


def _begin_calls(loop: LentLoop) -> None:
    calls = here.calls
    if calls:
        here.calls = []
        try:
            loop.call_soon_threadsafe(_begin_all, loop, calls)
        except RuntimeError:
            if not loop.is_closed():
                raise


def _begin_all(loop: LentLoop, calls: list[Any]) -> None:
    for call in calls:
        call.begin(loop)


def get_running_loop() -> asyncio.AbstractEventLoop:
    """The loop that runs on this thread, or the server's loop in app code. Raises ``RuntimeError`` if there is none."""
    loop = _get_running_loop()
    if loop is not None:
        return loop
    if (lent := here.loop) is not None and not _is_outside(sys._getframe(1).f_globals):  # noqa: SLF001
        if here.is_running:
            return lent
        raise RuntimeError('no running event loop: this app has the setting running-loop "no" (--running-loop)')
    raise RuntimeError("no running event loop")


def _current_task(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Task[Any] | None:
    """The task that runs on this thread: in app code on a thread none, whatever the loop does meanwhile."""
    return None if here.loop is not None and _get_running_loop() is None else _asyncios_current_task(loop)


def _all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
    """The tasks of a loop; in the code of a session, of a lent loop only this session's, and the one that runs.

    An app may cancel them all. Those of other users, and the server's own, must not be among them.
    """
    if loop is None:
        loop = get_running_loop()
    found, tasks = _asyncios_all_tasks(loop), owner.get()
    if tasks is None or not isinstance(loop, LentLoop):
        return found
    running = _current_task(loop)
    return {task for task in found if task is running or getattr(task, "owner", None) is tasks}


def _is_outside(variables: dict[str, Any]) -> bool:
    return str(variables.get("__name__")).startswith(OUTSIDE)


def install() -> None:
    """Replace asyncio's functions, also where modules have imported some of them by name."""
    replaced, asyncio.current_task = asyncio.get_running_loop, _current_task
    asyncio.tasks.current_task = _current_task
    for module in list(sys.modules.values()):
        names = names_of(module) or {}
        if names.get("get_running_loop") is replaced and names.get("__name__") != "_asyncio":
            names["get_running_loop"] = get_running_loop
        if names.get("all_tasks") is _asyncios_all_tasks and names.get("__name__") != "_asyncio":
            names["all_tasks"] = _all_tasks


def is_current(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller runs on this loop itself, and not as app code on another thread."""
    return _get_running_loop() is loop


def _forget() -> None:
    """In a forked child, the loop does not run."""
    here.loop = here.calls = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
