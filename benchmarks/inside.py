"""Serve apps with uvicorn: alone (``bare``), by ``hotshoe.wrap`` around Flask (``wrap``), or in Starlette (``mount``).

``python -m benchmarks.inside HOW PORT UNUSED_MS CHECK_MS FILE...``; the milliseconds are those of unused sessions.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn

import hotshoe


def main(how: str, port: str, unused_ms: str, check_ms: str, *scripts: str) -> None:
    """Serve until the process is told to stop."""
    settings = hotshoe.Settings(unused_session_lifetime_milliseconds=int(unused_ms), no_collapse=True,
                                check_unused_sessions_milliseconds=int(check_ms), session_ids="unsigned")
    site = _site(how, {f"/{Path(script).stem}": script for script in scripts}, settings)
    uvicorn.run(site, host="127.0.0.1", port=int(port), log_level="warning", timeout_graceful_shutdown=3)


def _site(how: str, apps: dict[str, str], settings: hotshoe.Settings) -> Any:
    match how:
        case "bare":
            return hotshoe.asgi(apps, settings=settings)
        case "wrap":
            from flask import Flask

            return hotshoe.wrap(Flask("site"), apps, settings=settings)
        case "mount":
            from starlette.applications import Starlette
            from starlette.responses import PlainTextResponse
            from starlette.routing import Mount, Route

            mounted = hotshoe.asgi(apps, settings=settings)
            home = Route("/home", lambda request: PlainTextResponse("home"))
            return Starlette(routes=[home, Mount("/", mounted)], lifespan=mounted.lifespan)
        case _:
            raise SystemExit(f"how is bare, wrap or mount, not {how}")


if __name__ == "__main__":
    main(*sys.argv[1:])
