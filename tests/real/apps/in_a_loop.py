"""Does what apps do that run inside of an event loop: with ``?what=NAME`` in the script, else in a callback."""
# ruff: noqa: RUF006 - a session keeps its tasks

import asyncio
import functools
import sys
import threading

from bokeh.io import curdoc
from bokeh.models import Div, TextInput

document = curdoc()
trigger, echo = TextInput(name="trigger"), Div(name="echo", text="")
document.add_root(trigger)
document.add_root(echo)
loop = asyncio.get_running_loop()
main_thread = threading.main_thread()
site = sys.argv[1]


def tell(text):
    document.add_next_tick_callback(lambda: echo.update(text=text))


async def answer(text="ok"):
    await asyncio.sleep(0.01)
    assert asyncio.get_running_loop() is loop, "another loop"
    assert threading.current_thread() is main_thread, "another thread"
    assert curdoc() is document, "another document"
    return text


async def send(awaitable=None):
    try:
        tell(await (awaitable or answer()))
    except BaseException as error:
        tell(repr(error))


def create_task():
    asyncio.create_task(send())


def ensure_future():
    asyncio.ensure_future(send())


def gather():
    both = asyncio.gather(answer("o"), answer("k"))
    both.add_done_callback(lambda done: tell("".join(done.result())))


def timeouts():
    async def slow():
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            return await asyncio.wait_for(answer(), 5)

    asyncio.create_task(send(slow()))


def task_group():
    async def group():
        async with asyncio.TaskGroup() as tasks:
            one = tasks.create_task(answer())
        return one.result()

    asyncio.create_task(send(group()))


def timers():
    asyncio.get_running_loop().call_later(60, tell, "late").cancel()
    asyncio.get_running_loop().call_later(0.01, tell, "ok")


def executor():
    def work():
        assert threading.current_thread() is not main_thread
        return "ok"

    asyncio.create_task(send(asyncio.to_thread(work)))
    asyncio.get_running_loop().run_in_executor(None, work).add_done_callback(lambda done: done.result())


def queue():
    waiting = asyncio.Queue()
    asyncio.create_task(send(waiting.get()))
    asyncio.get_running_loop().call_later(0.01, waiting.put_nowait, "ok")


def tornado():
    from tornado.ioloop import IOLoop, PeriodicCallback

    def ring():
        periodic.stop()
        IOLoop.current().call_later(0.01, tell, "ok")

    periodic = PeriodicCallback(ring, 10)
    periodic.start()


def aiohttp():
    from aiohttp import ClientSession

    client = ClientSession()

    async def get():
        async with client, client.get(site) as response:
            return "ok" if response.status == 200 else str(response.status)

    asyncio.create_task(send(get()))


def httpx():
    from httpx import AsyncClient

    client = AsyncClient()

    async def get():
        async with client:
            response = await client.get(site)
        return "ok" if response.status_code == 200 else str(response.status_code)

    asyncio.create_task(send(get()))


def anyio():
    import anyio

    async def run():
        with anyio.fail_after(5):
            return await anyio.to_thread.run_sync(lambda: "ok")

    asyncio.create_task(send(run()))


def apscheduler():
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler()
    scheduler.add_job(functools.partial(send), "date")
    scheduler.start()
    document.on_session_destroyed(lambda context: scheduler.shutdown())


def run():
    async def other():
        assert asyncio.get_running_loop() is not loop
        return await asyncio.wait_for(asyncio.sleep(0, "ok"), 5)

    tell(asyncio.run(other()))
    create_task()


def run_until_complete():
    own = asyncio.new_event_loop()
    assert own.run_until_complete(asyncio.sleep(0, "own")) == "own"
    own.close()
    tell(asyncio.get_event_loop().run_until_complete(answer()))


def async_to_sync():
    from asgiref.sync import async_to_sync

    tell(async_to_sync(functools.partial(asyncio.sleep, 0, "ok"))())


def django():
    from django.utils.asyncio import async_unsafe

    tell(async_unsafe(lambda: "ok")())
    create_task()


def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        tell("ok" if running.chromium.name == "chromium" else "?")


def do(what):
    try:
        globals()[what]()
    except BaseException as error:
        tell(repr(error))


trigger.on_change("value", lambda attr, old, new: do(new))
if what := document.session_context.request.arguments.get("what"):
    do(what[0].decode())
