"""A Starlette site whose users and sessions reach the Bokeh app in it. It has a lifespan of its own."""

import contextlib

from bokeh.models import Button, Column, Div
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

import hotshoe


def greeting(doc):
    """A Bokeh app."""
    context = doc.session_context
    language = context.request.session.get("language", "en")
    hello = {"en": "Hello", "fr": "Bonjour"}[language]
    words = Div(text=f"{hello}, {context.user.display_name or 'stranger'}!")
    button = Button(label="Louder")
    button.on_click(lambda: words.update(text=words.text.upper()))
    doc.add_root(Column(words, button))


class Users(AuthenticationBackend):
    async def authenticate(self, conn):
        if name := conn.session.get("user"):
            return AuthCredentials(["authenticated"]), SimpleUser(name)
        return None


async def login(request):
    request.session.update(user=request.path_params["name"], language="fr")
    return RedirectResponse("/apps/greeting")


apps = hotshoe.asgi({"/greeting": greeting})


@contextlib.asynccontextmanager
async def lifespan(site):
    async with apps.lifespan(site):
        yield  # with what the site itself starts and stops


site = Starlette(
    routes=[Route("/login/{name}", login), Mount("/apps", apps)],
    middleware=[
        Middleware(SessionMiddleware, secret_key="change this"),
        Middleware(AuthenticationMiddleware, backend=Users()),
    ],
    lifespan=lifespan,
)
