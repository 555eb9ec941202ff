"""A provider of OpenID Connect as a process on loopback: a page with a form, codes, RS256 tokens, keys, user info.

It can be told to misbehave. A part of it answers as GitHub does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

CLIENT_ID = "hotshoe client"
CLIENT_SECRET = "secret of:the client"
PATIENCE_S = 40.0

USERS: dict[str, dict[str, Any]] = {
    "ada": {"sub": "sub-ada", "email": "ada@example.org", "email_verified": True, "name": "Ada Lovelace",
            "preferred_username": "ada", "groups": ["staff", "admins"]},
    "eve": {"sub": "sub-eve", "email": "ada@example.org", "email_verified": False, "name": "Eve",
            "preferred_username": "eve", "groups": []},
    "mob": {"sub": "sub-mob", "email": "mob@example.org", "email_verified": True, "name": "Mob",
            "preferred_username": "mob", "groups": [secrets.token_hex(16) for _ in range(400)]},
    "odd": {"sub": "sub-odd", "email": "odd@evil.example", "email_verified": True, "name": "Odd\r\nName",
            "preferred_username": "odd\r\nforged line", "groups": "one"},
}


@dataclass
class PeerProcess:
    url: str
    process: subprocess.Popen[str]

    def tell(self, **what: Any) -> None:
        """Change how it behaves: ``fault``, ``rotate``, ``without`` (claims that the ID token lacks)."""
        request = urllib.request.Request(f"{self.url}/control", json.dumps(what).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            assert response.status == 200

    def seen(self) -> dict[str, Any]:
        """What it remembers: tokens that it made, and how often each path was asked for."""
        with urllib.request.urlopen(f"{self.url}/control", timeout=PATIENCE_S) as response:
            return dict(json.load(response))


@contextmanager
def running() -> Iterator[PeerProcess]:
    """The provider as a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield PeerProcess(process.stdout.readline().strip(), process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    import socket

    import uvicorn

    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    print(url, flush=True)
    uvicorn.Server(uvicorn.Config(make_app(url), log_level="error")).run([sock])


def make_app(url: str) -> Any:
    """The ASGI app of the provider."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, RedirectResponse, Response
    from starlette.routing import Route

    behaviour: dict[str, Any] = {"fault": "", "without": [], "document": {}}
    keys = [_new_key()]
    codes: dict[str, dict[str, str]] = {}
    tokens: dict[str, str] = {}
    made: list[str] = []
    counts: dict[str, int] = {}

    async def document(request: Any) -> Response:
        counts["document"] = counts.get("document", 0) + 1
        return JSONResponse({
            "issuer": url, "authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks", "userinfo_endpoint": f"{url}/userinfo",
            "end_session_endpoint": f"{url}/end", **behaviour["document"]})

    async def authorize(request: Any) -> Response:
        query = dict(request.query_params)
        if request.method == "GET":
            hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
                             for name, value in query.items())
            return Response(f'<!doctype html><title>Provider</title><h1>Who are you?</h1><form method="post">{hidden}'
                            '<label>User <input name="user"></label><button name="go" value="yes">Allow</button>'
                            '<button name="go" value="no">Deny</button></form>', media_type="text/html")
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        answer = {"state": form["state"]}
        if form.get("go") == "no":
            answer |= {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            code = secrets.token_urlsafe(8)
            codes[code] = form
            made.append(code)
            answer |= {"code": code, "iss": "http://other" if behaviour["fault"] == "iss parameter" else url}
        return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer)}", 303)

    async def token(request: Any) -> Response:
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        fault = behaviour["fault"]
        if fault == "token refused" or not _knows_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        if fault == "token no json":
            return Response("<html>", media_type="text/html")
        begun = codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if begun is None or begun["redirect_uri"] != form["redirect_uri"] \
                or begun["code_challenge"] != challenge.decode().rstrip("="):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        tokens[access] = begun["user"]
        id_token = _id_token(url, begun, keys[-1], fault, behaviour["without"])
        made.extend([access, id_token])
        answer = {"access_token": access, "token_type": "Bearer", "id_token": id_token}
        if fault == "no id_token":
            del answer["id_token"]
        return JSONResponse(answer)

    async def jwks(request: Any) -> Response:
        counts["jwks"] = counts.get("jwks", 0) + 1
        public = [key.as_dict(private=False) for key in keys]
        return JSONResponse({"keys": [*public, {"kty": "from the future"}]})

    async def userinfo(request: Any) -> Response:
        counts["userinfo"] = counts.get("userinfo", 0) + 1
        user = tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            return JSONResponse({}, 401)
        info = dict(USERS[user])
        if behaviour["fault"] == "userinfo of another":
            info["sub"] = "sub-eve"
        return JSONResponse(info)

    async def end(request: Any) -> Response:
        return Response("<h1>Logged out at the provider</h1>", media_type="text/html")

    async def control(request: Any) -> Response:
        if request.method == "POST":
            told = json.loads(await request.body())
            if told.pop("rotate", False):
                keys[:] = [_new_key()]
            behaviour.update(told)
        return JSONResponse({"made": made, "counts": counts})

    async def github(request: Any) -> Response:
        user = tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        answers: dict[str, Any] = {
            "/api/user": {"login": user, "id": 7, "name": None, "email": "public@example.org"},
            "/api/user/emails": [{"email": "old@example.org", "primary": False, "verified": True},
                                 {"email": "ada@example.org", "primary": True, "verified": user == "ada"}],
            "/api/user/orgs": [{"login": "bokeh"}],
            "/api/user/teams": [{"slug": f"team-{at}", "organization": {"login": "bokeh"}} for at in range(150)],
        }
        answer = answers[request.url.path]
        if request.url.path == "/api/user/teams":
            page = int(request.query_params["page"])
            answer = answer[(page - 1) * 100:page * 100]
        return JSONResponse(answer)

    return Starlette(routes=[
        Route("/.well-known/openid-configuration", document), Route("/authorize", authorize, methods=["GET", "POST"]),
        Route("/token", token, methods=["POST"]), Route("/jwks", jwks), Route("/userinfo", userinfo),
        Route("/end", end), Route("/control", control, methods=["GET", "POST"]),
        Route("/login/oauth/authorize", authorize, methods=["GET", "POST"]),
        Route("/login/oauth/access_token", token, methods=["POST"]), Route("/api/{rest:path}", github)])


def _new_key() -> Any:
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})


def _knows_client(request: Any, form: dict[str, str]) -> bool:
    expected = (CLIENT_ID, CLIENT_SECRET)
    if "client_secret" in form:
        return (form["client_id"], form["client_secret"]) == expected
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return scheme == "Basic" and base64.b64decode(value).decode() == ":".join(expected)


def _id_token(url: str, begun: dict[str, str], key: Any, fault: str, without: list[str]) -> str:
    from joserfc import jwt
    from joserfc.jwk import RSAKey

    now = int(time.time())
    claims: dict[str, Any] = {"iss": url, "aud": CLIENT_ID, "exp": now + 300, "iat": now, "nonce": begun.get("nonce"),
                              "at_hash": "x", **USERS[begun["user"]]}
    faults: dict[str, dict[str, Any]] = {
        "wrong nonce": {"nonce": "another"}, "wrong aud": {"aud": "another"}, "wrong iss": {"iss": "http://x"},
        "expired": {"exp": now - 600}, "of the future": {"iat": now + 600}, "no sub": {"sub": None},
        "two aud": {"aud": [CLIENT_ID, "another"]}, "wrong azp": {"azp": "another"},
        "exp a text": {"exp": "tomorrow"}, "exp infinite": {"exp": float("inf")}}
    claims |= faults.get(fault, {})
    for name in without:
        claims.pop(name, None)
    header = {"alg": "RS256", "kid": key.kid}
    if fault == "alg none":
        return ".".join([_b64({**header, "alg": "none"}), _b64(claims), ""])
    if fault == "alg HS256":  # signed with the public key, which everybody knows
        return hs256(header, claims, key.as_pem(private=False))
    if fault == "another key":
        key = RSAKey.generate_key(2048)
    token = jwt.encode(header, claims, key)
    if fault == "altered":
        head, _, signature = token.split(".")
        return ".".join([head, _b64({**claims, "sub": "sub-root"}), signature])
    return "garbage" if fault == "garbage" else token


def hs256(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """Signed by hand: libraries refuse to take a public key for a shared secret."""
    text = f"{_b64({**header, 'alg': 'HS256'})}.{_b64(claims)}"
    return f"{text}.{_bare(hmac.digest(secret, text.encode(), 'sha256'))}"


def _b64(value: Any) -> str:
    return _bare(json.dumps(value).encode())


def _bare(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


if __name__ == "__main__":
    main()
