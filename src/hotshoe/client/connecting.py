"""The functions of ``bokeh.client``, and the same for asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Unpack

from bokeh.document import Document

from .address import AppAddress
from .async_session import AsyncSession
from .session import Session, open_page
from .terms import MAX_MESSAGE_BYTES, Arguments, ConnectOptions, MoreOptions


def pull_session(session_id: str | None = None, url: str = "default", io_loop: object = None,
                 arguments: Arguments | None = None, max_message_size: int = MAX_MESSAGE_BYTES,
                 **more: Unpack[MoreOptions]) -> Session:
    """Connect to the session with this id, or a new one, and take over its document.

    ``io_loop`` is ignored; ``bokeh.client`` has it. Raises ``ClientError``.
    """
    session = Session(session_id, url, io_loop, arguments, max_message_size, **more)
    return _connect(session, session.pull)


def push_session(document: Document, session_id: str | None = None, url: str = "default", io_loop: object = None,
                 max_message_size: int = MAX_MESSAGE_BYTES, **more: Unpack[MoreOptions]) -> Session:
    """Connect to the session with this id, or a new one, and have it take over ``document``.

    ``io_loop`` is ignored; ``bokeh.client`` has it. Raises ``ClientError``.
    """
    session = Session(session_id, url, io_loop, None, max_message_size, **more)
    return _connect(session, partial(session.push, document))


async def pull_session_async(session_id: str | None = None, url: str = "default",
                             **options: Unpack[ConnectOptions]) -> AsyncSession:
    """``pull_session`` for asyncio: ``async with await pull_session_async(…) as session``."""
    session = AsyncSession(session_id, url, **options)
    return await _connect_async(session, session.pull())


async def push_session_async(document: Document, session_id: str | None = None, url: str = "default",
                             **options: Unpack[ConnectOptions]) -> AsyncSession:
    """``push_session`` for asyncio: ``async with await push_session_async(…) as session``."""
    session = AsyncSession(session_id, url, **options)
    return await _connect_async(session, session.push(document))


def show_session(session_id: str | None = None, url: str = "default", session: Session | AsyncSession | None = None,
                 browser: str | None = None, new: str = "tab", controller: Any = None) -> None:
    """Open a browser with ``session``, with the session of an id and an address, or, without an id, with a new one."""
    if session is not None:
        server_url, session_id = session.server_url, session.id
    else:
        server_url = AppAddress.of(url).page
    open_page(server_url, session_id, browser=browser, new=new, controller=controller)


def _connect(session: Session, connect: Callable[[], None]) -> Session:
    """Connect, and close the session if that fails."""
    try:
        connect()
    except BaseException:
        session.close(deliver=False)
        raise
    return session


async def _connect_async(session: AsyncSession, connecting: Awaitable[None]) -> AsyncSession:
    try:
        await connecting
    except BaseException:
        await session.close(deliver=False)
        raise
    return session
