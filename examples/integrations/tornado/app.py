"""A Tornado site with a Bokeh app in it, on one port. Its users are the apps' users."""

import asyncio
import os
import signal

import tornado.web

import hotshoe
from hotshoe.integrations.tornado import routes


class SiteHandler(tornado.web.RequestHandler):
    """What all handlers of the site have in common."""

    def get_current_user(self):
        name = self.get_signed_cookie("user")
        return name.decode() if name else None


class Home(SiteHandler):
    def get(self):
        self.write(f'<h1>Hello, {self.current_user or "stranger"}</h1><a href="/apps/wave">the wave</a>')


class Login(SiteHandler):
    def get(self, name):
        self.set_signed_cookie("user", name)
        self.redirect("/apps/wave")


async def main():
    apps = hotshoe.asgi({"/wave": "../wave.py"})
    site = tornado.web.Application(
        [(r"/", Home), (r"/login/(\w+)", Login), *routes(apps, prefix="/apps", handler=SiteHandler)],
        cookie_secret="change this",
    )
    site.listen(int(os.environ.get("PORT", "8000")), "127.0.0.1")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with apps.lifespan():  # at its end all sessions end
        await ended.wait()


asyncio.run(main())
