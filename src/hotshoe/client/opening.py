"""The functions of ``bokeh.client``, and the same for asyncio."""

from __future__ import annotations

from typing import Any, Unpack

from bokeh.document import Document

from .addresses import Address
from .async_session import AsyncSession
from .options import MAX_MESSAGE_BYTES, Arguments, More, Options
from .session import Session
from .showing import open_page


def pull_session(session_id: str | None = None, url: str = "default", io_loop: object = None,
                 arguments: Arguments | None = None, max_message_size: int = MAX_MESSAGE_BYTES,
                 **more: Unpack[More]) -> Session:
    """Connect to the session of this id, or a new one, and take over its document.

    ``io_loop`` is taken for the sake of ``bokeh.client``'s signature and not used. Raises ``ClientError``.
    """
    session = Session(session_id, url, io_loop, arguments, max_message_size, **more)
    try:
        session.pull()
    except BaseException:
        session.close(deliver=False)
        raise
    return session


def push_session(document: Document, session_id: str | None = None, url: str = "default", io_loop: object = None,
                 max_message_size: int = MAX_MESSAGE_BYTES, **more: Unpack[More]) -> Session:
    """Connect to the session of this id, or a new one, and let it take over ``document``.

    ``io_loop`` is taken for the sake of ``bokeh.client``'s signature and not used. Raises ``ClientError``.
    """
    session = Session(session_id, url, io_loop, None, max_message_size, **more)
    try:
        session.push(document)
    except BaseException:
        session.close(deliver=False)
        raise
    return session


async def pull_session_async(session_id: str | None = None, url: str = "default",
                             **options: Unpack[Options]) -> AsyncSession:
    """``pull_session`` for asyncio: ``async with await pull_session_async(…) as session``."""
    session = AsyncSession(session_id, url, **options)
    try:
        await session.pull()
    except BaseException:
        await session.close(deliver=False)
        raise
    return session


async def push_session_async(document: Document, session_id: str | None = None, url: str = "default",
                             **options: Unpack[Options]) -> AsyncSession:
    """``push_session`` for asyncio: ``async with await push_session_async(…) as session``."""
    session = AsyncSession(session_id, url, **options)
    try:
        await session.push(document)
    except BaseException:
        await session.close(deliver=False)
        raise
    return session


def show_session(session_id: str | None = None, url: str = "default", session: Session | AsyncSession | None = None,
                 browser: str | None = None, new: str = "tab", controller: Any = None) -> None:
    """Open a browser with a session: the one given, or that of an id and an address; without an id, a new one."""
    if session is not None:
        server_url, session_id = session.server_url, session.id
    else:
        server_url = Address.of(url).page
    open_page(server_url, session_id, browser=browser, new=new, controller=controller)
