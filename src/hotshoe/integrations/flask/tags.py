"""``{{ bokeh_app("/sliders") }}``: an app in a page of the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask

from ...embed import app_tag
from ...embed.tags import Html, Resources


def bokeh_app(app: str, *, arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
              with_credentials: bool = False, resources: Resources = "default", nonce: str = "") -> Html:
    """The element of an app, by its URL in the site, its endpoint, or what ``url_for`` gives.

    A URL of the site is completed by the path that the site is below. The rest is as of ``hotshoe.embed.app_tag``,
    which raises ``ValueError``; an endpoint that is none raises werkzeug's ``BuildError``.
    """
    return app_tag(_address(app), arguments=arguments, headers=headers, with_credentials=with_credentials,
                   resources=resources, nonce=nonce)


def _address(app: str) -> str:
    if not app.startswith("/"):
        return app if "://" in app else _quoted(flask.url_for(app))
    root = _root()
    is_of_app = (app.partition("?")[0].rstrip("/") or "/") in flask.current_app.extensions["hotshoe"].urls
    is_complete = app.startswith(("//", f"{root}/"))
    return _quoted(app if is_complete and not is_of_app else root + app)


def _root() -> str:
    """What is before the site's URLs."""
    if flask.has_request_context():
        return flask.request.script_root
    return str(flask.current_app.config["APPLICATION_ROOT"]).rstrip("/")


def _quoted(url: str) -> str:
    """``url_for`` leaves what is before the site as it is, where the rest of a URL is quoted."""
    return url.replace(" ", "%20")
