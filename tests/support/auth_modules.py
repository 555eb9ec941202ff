"""Modules for ``--auth-module``, as users write them: one for Tornado's handlers, one for Starlette's."""


TORNADO = """
from tornado.escape import json_decode, json_encode
from tornado.web import HTTPError, RequestHandler

PASSWORDS = {"alice": "a", "bob": "b"}

def get_user(request_handler):
    cookie = request_handler.get_secure_cookie("who")
    return json_decode(cookie) if cookie else None

login_url = "/login"
logout_url = "/logout"

class LoginHandler(RequestHandler):
    def get(self):
        self.write("form for " + self.get_argument("next", "/"))

    def post(self):
        name = self.get_body_argument("name")
        if PASSWORDS.get(name) != self.get_argument("password", ""):
            self.set_status(403)
            return self.get()
        self.set_secure_cookie("who", json_encode(name))
        self.redirect(self.get_argument("next", "/"))

class LogoutHandler(RequestHandler):
    async def get(self):
        self.clear_cookie("who")
        self.redirect("/")
"""


STARLETTE = """
from __future__ import annotations

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

PASSWORDS = {"alice": "a", "bob": "b"}

def get_user(connection: HTTPConnection) -> str | None:
    return connection.session.get("who")

async def login(request: Request) -> Response:
    if request.method == "GET":
        return PlainTextResponse("form for " + request.query_params.get("next", "/"))
    form = await request.form()
    if PASSWORDS.get(form["name"]) != form["password"]:
        return PlainTextResponse("no", 403)
    request.session["who"] = form["name"]
    return RedirectResponse(request.query_params.get("next", "/"), status_code=303)

async def logout(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/", status_code=303)
"""
