"""An event loop that app code on other threads may use as if it ran inside of it.

``lend`` gives any loop a class that makes it safe there: what is scheduled from another thread passes through
``call_soon_threadsafe``. Inside of a piece of app code (``call_with``) it waits until the piece has ended, as it does
on the loop's own thread: a task never meets a script that is still running.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from functools import cache, partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from .app_tasks import AppTasks, owner

if TYPE_CHECKING:
    _Loop = asyncio.AbstractEventLoop
else:
    _Loop = object

T = TypeVar("T")


class _Here(threading.local):
    """What this thread does with a lent loop."""

    loop: LentLoop | None = None
    """The loop that a piece of app code uses on this thread; ``None`` outside of such pieces."""
    is_running: bool = False
    """Whether that loop counts as running on this thread."""
    calls: list[Call] | None = None
    """Calls that wait for the end of the piece."""


here = _Here()


class Call(asyncio.Handle):
    """A call that was scheduled from another thread than the loop's. It can be cancelled on any thread."""

    def begin(self, loop: LentLoop) -> None:
        """Schedule it, on the loop's thread."""
        if not self._cancelled:  # type: ignore[attr-defined]
            loop.call_soon(self, context=self._context)  # type: ignore[attr-defined]

    def __call__(self) -> None:
        callback, args = self._callback, self._args  # type: ignore[attr-defined]
        if callback is not None and args is not None:  # else it was cancelled, perhaps just now
            callback(*args)


class Timer(asyncio.TimerHandle):
    """A timer of app code. It can be made and cancelled on any thread; a timer of uvloop can't."""

    _timer: asyncio.TimerHandle | None = None

    def begin(self, loop: LentLoop) -> None:
        """Start it, on the loop's thread."""
        if not self._cancelled:  # type: ignore[attr-defined]
            self._timer = loop.call_at(self.when(), self, context=self._context)  # type: ignore[attr-defined]

    def cancel(self) -> None:
        """Cancel it."""
        asyncio.Handle.cancel(self)
        timer, self._timer = self._timer, None
        if timer is not None:
            self._loop.run_here(timer.cancel)  # type: ignore[attr-defined]

    def __call__(self) -> None:
        self._timer = None  # they keep each other
        Call.__call__(self)  # type: ignore[arg-type]


class LentLoop(_Loop):
    """Methods of a lent loop: the same on the loop's thread, and safe on all others."""

    ident = 0
    """The loop's own thread."""

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if get_ident() == self.ident:
            return super().call_soon(callback, *args, context=context)  # type: ignore[safe-super]
        return self._schedule(Call(callback, args, self, context))

    def call_later(self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if self._is_own_timer(callback):
            return super().call_later(delay, callback, *args, context=context)  # type: ignore[safe-super]
        return self._schedule(Timer(self.time() + delay, callback, args, self, context))

    def call_at(self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if self._is_own_timer(callback):
            return super().call_at(when, callback, *args, context=context)  # type: ignore[safe-super]
        return self._schedule(Timer(when, callback, args, self, context))

    def _is_own_timer(self, callback: Any) -> bool:
        """Whether only the loop's thread will touch a timer: it is the server's, or the inner one of a ``Timer``."""
        return get_ident() == self.ident and (owner.get() is None or type(callback) is Timer)

    def _schedule(self, call: Any) -> Any:
        if get_ident() == self.ident:
            call.begin(self)
        elif here.calls is not None and here.loop is self:
            here.calls.append(call)
        else:
            self.call_soon_threadsafe(call.begin, self)
        return call

    def run_here(self, function: Callable[..., Any], *args: Any) -> None:
        """Call ``function`` on the loop's thread: at once if this is it."""
        if get_ident() == self.ident:
            function(*args)
        else:
            self.call_soon(function, *args)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        tasks = owner.get()
        is_away = get_ident() != self.ident
        if is_away:
            options.pop("eager_start", None)  # it would run on this thread
        elif tasks is None or self.get_task_factory() is not None:
            return super().create_task(coro, **options)  # type: ignore[safe-super]
        if tasks is None:
            return asyncio.Task(coro, loop=self, **options)
        return tasks.new(self, coro, options)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self.run_here(partial(super().add_reader, fd, callback, *args))  # type: ignore[safe-super]

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        self.run_here(partial(super().add_writer, fd, callback, *args))  # type: ignore[safe-super]

    def remove_reader(self, fd: Any) -> bool:
        if get_ident() == self.ident:
            return super().remove_reader(fd)  # type: ignore[safe-super]
        self.call_soon(super().remove_reader, fd)  # type: ignore[safe-super]
        return True

    def remove_writer(self, fd: Any) -> bool:
        if get_ident() == self.ident:
            return super().remove_writer(fd)  # type: ignore[safe-super]
        self.call_soon(super().remove_writer, fd)  # type: ignore[safe-super]
        return True

    def run_forever(self) -> None:
        if not self.is_running():
            self.ident = get_ident()
        super().run_forever()  # type: ignore[safe-super]

    def run_until_complete(self, future: Any) -> Any:
        """On another thread than the loop's: run ``future`` on the loop, and wait for it."""
        if not self.is_running():
            return super().run_until_complete(future)  # type: ignore[safe-super]
        return _wait_for(self, future) if get_ident() != self.ident else _refuse(future)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        tasks = getattr(context.get("future"), "owner", None)
        error = context.get("exception")
        if not isinstance(tasks, AppTasks) or error is None or not tasks.report(error):
            super().call_exception_handler(context)  # type: ignore[safe-super]


def lend(loop: asyncio.AbstractEventLoop) -> None:
    """Make ``loop``, on which the caller runs, safe for app code on other threads.

    Nothing happens if its class can't be changed, as that of a loop in Rust: then it never counts as running there.
    """
    if isinstance(loop, LentLoop):
        return
    try:
        loop.__class__ = _lent_class(type(loop))
    except TypeError:
        return
    assert isinstance(loop, LentLoop)
    loop.ident = get_ident()
    if isinstance(loop, asyncio.BaseEventLoop):
        # nest_asyncio replaces the method of the class, so that it runs the loop on any thread.
        loop.run_until_complete = partial(_run_nested, loop)  # type: ignore[method-assign]


@cache
def _lent_class(kind: type[asyncio.AbstractEventLoop]) -> type[LentLoop]:
    # nest_asyncio raises an error for loops that it can't patch, unless they say that they need no patch.
    members = {} if issubclass(kind, asyncio.BaseEventLoop) else {"_nest_patched": True}
    return type(f"Lent{kind.__name__.lstrip('_')}", (LentLoop, kind), members)


def _run_nested(loop: LentLoop, future: Any) -> Any:
    if get_ident() != loop.ident and loop.is_running():
        return _wait_for(loop, future)
    return type(loop).run_until_complete(loop, future)


def _wait_for(loop: LentLoop, future: Any) -> Any:
    if here.loop is loop:
        _begin_calls(loop)
    return asyncio.run_coroutine_threadsafe(_result_of(future), loop).result()


async def _result_of(future: Any) -> Any:
    return await future


def _refuse(future: Any) -> Any:
    if asyncio.iscoroutine(future):
        future.close()
    raise RuntimeError("This event loop is already running: await the coroutine instead, or use nest_asyncio with the "
                       "setting --loop asyncio (it can't patch uvloop)")


def call_with(loop: asyncio.AbstractEventLoop, is_running: bool, function: Callable[..., T], *args: Any) -> T:
    """Call a piece of app code on this thread, which is not the loop's.

    With ``is_running`` the loop counts as running here. What the piece schedules begins when it has ended.
    """
    if not isinstance(loop, LentLoop):
        return function(*args)
    here.loop, here.is_running, here.calls = loop, is_running, []
    try:
        return function(*args)
    finally:
        _begin_calls(loop)
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
