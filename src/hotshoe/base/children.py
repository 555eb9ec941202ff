"""Children that apps fork: they are no second server, and no child outlives the server.

A forked process inherits the handlers of signals, the descriptor that wakes the event loop, all sockets, and the
memory with the loop and the pools, but only one thread. Owners of such things ``register``, and let go of them in the
child.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self
from weakref import WeakSet

try:
    import fcntl
except ImportError:  # Windows, where nothing forks
    fcntl = None  # type: ignore[assignment]

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


class Forkable(Protocol):
    """Something that a forked child must not use."""

    def after_fork(self) -> None:
        """Let go of it. Runs in the child, where locks may be locked for ever."""


_owners: WeakSet[Forkable] = WeakSet()
_lifeline: tuple[int, int] | None = None
"""A pipe: this process alone can write to it, so it breaks when this process ends, however that happens."""
_bound_pid: int | None = None
"""The process, this one or its parent, that ends with the server (``end_with_server``)."""
_generation = 0
"""How often this process and those before it were forked."""


class _Fork(threading.local):
    """The fork that a thread is about to make: its mask of signals, and whether it is the main thread."""

    mask: set[int | signal.Signals] | None = None
    is_by_main_thread = False


_fork = _Fork()


def register(owner: Forkable) -> None:
    """Call ``owner.after_fork()`` in children that are forked before ``owner`` is unregistered or gone."""
    global _lifeline
    _owners.add(owner)
    if (_lifeline is None or _lifeline[1] < 0) and hasattr(fcntl, "F_SETSIG"):  # only Linux has it
        _lifeline = os.pipe()


def unregister(owner: Forkable) -> None:
    """``owner`` holds nothing any more."""
    _owners.discard(owner)


def generation() -> int:
    """A number that differs in a process and its forked children."""
    return _generation


def is_by_main_thread() -> bool:
    """In a child: whether the main thread of the server's process has forked it."""
    return _fork.is_by_main_thread


def use_default_signals() -> None:
    """In a child: let the signals that end a process do so; those that are ignored stay ignored."""
    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def end_with_server() -> None:
    """In a child: get SIGTERM when the server's process has ended, even if it was killed. Only on Linux.

    Not by PR_SET_PDEATHSIG: that tells of the end of the thread that has forked, and pools end idle threads.
    """
    global _bound_pid
    if _lifeline is None or _bound_pid == os.getpid():
        return
    _bound_pid = os.getpid()
    with suppress(OSError):
        # Opened again, since this setting would count for all processes that share a descriptor.
        own = os.open(f"/proc/self/fd/{_lifeline[0]}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
        if not os.read(own, 1):  # it has ended just now; else this raises BlockingIOError
            os.kill(os.getpid(), signal.SIGTERM)


def close_in_child(descriptors: Iterable[int]) -> None:
    """In a child: let the descriptors lead nowhere. Their objects still exist, so the numbers stay in use."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        if descriptor >= 0:
            os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


def sockets_like(listening: Iterable[socket.socket]) -> list[int]:
    """The descriptors of these sockets and of all connections that they have accepted.

    Those of connections that no object has yet are only found where there is a ``/proc``.
    """
    own, found = {_address(sock) for sock in listening if sock.fileno() >= 0}, list[int]()
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all that is needed
            with suppress(OSError):
                sock = socket.socket(fileno=int(name))
                try:
                    if _address(sock) in own:
                        found.append(int(name))
                finally:
                    sock.detach()
    return found


def _address(sock: socket.socket) -> tuple[object, ...]:
    """What a listening socket and its connections have in common: with it the port, or the path of a Unix socket."""
    name = sock.getsockname()
    return sock.family, sock.type, name[1] if isinstance(name, tuple) else name


def end_child(before: int, error: BaseException | None) -> None:
    """End this process if it was forked since ``generation()`` was ``before``, with the status of ``error``.

    Call it where an app's code has come to its end: what comes after that is the server's, not a child's.
    """
    if _generation == before:
        return
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else 1 if error.code else 0
    elif error is not None:
        status = 1
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status & 0xFF)


class AppCode:
    """The time in which an app's code runs outside of sessions. A child that it forks is no second server.

    The child gets Python's handlers of signals and ends with the server, and ends at the latest where that code ends.
    """

    def __enter__(self) -> Self:
        self._born = _generation
        register(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        unregister(self)
        end_child(self._born, error)

    def after_fork(self) -> None:
        """Let the child be one of the app, not of the program."""
        use_default_signals()
        end_with_server()


def _before_fork() -> None:
    is_child = _lifeline is not None and _lifeline[1] < 0
    if not _owners and not is_child:  # no server runs here, nor in a parent
        return
    _fork.is_by_main_thread = threading.current_thread() is threading.main_thread()
    # A child that is ended at once would lose the signal, or handle it as the server does. So it waits.
    _fork.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def _restore_mask() -> None:
    mask, _fork.mask = _fork.mask, None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _after_fork_in_child() -> None:
    global _generation
    _generation += 1
    if _fork.mask is not None:
        _become_child()
        _restore_mask()
    else:
        _drop_lifeline()


def _become_child() -> None:
    with suppress(ValueError):  # a subinterpreter
        signal.set_wakeup_fd(-1)
    _forget_loop()
    _close_lifeline()
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # libuv has its own handler, of which Python does not know
    for owner in list(_owners):
        try:
            owner.after_fork()
        except Exception:
            traceback.print_exc()
    _owners.clear()
    if _bound_pid is not None:  # and so are its own children
        end_with_server()


def _drop_lifeline() -> None:
    """The server had ended before this process was forked: it is a child of the program."""
    global _lifeline
    for descriptor in _lifeline or ():
        os.close(descriptor)
    _lifeline = None


def _close_lifeline() -> None:
    """Keep only the end that tells when the server's process has ended."""
    global _lifeline
    if _lifeline is not None and _lifeline[1] >= 0:
        os.close(_lifeline[1])
        _lifeline = _lifeline[0], -1


def _forget_loop() -> None:
    """Let the child have a loop of its own, as Python does since 3.12."""
    asyncio._set_running_loop(None)  # noqa: SLF001 - what asyncio itself does in a child since then
    if sys.version_info < (3, 12):
        with suppress(TypeError):  # a policy of the program that takes arguments
            asyncio.set_event_loop_policy(type(asyncio.get_event_loop_policy())())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_restore_mask, after_in_child=_after_fork_in_child)
