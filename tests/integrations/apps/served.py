"""An app object, and the same in a FastAPI site, for the processes of ASGI servers."""

from pathlib import Path

from fastapi import FastAPI

import hotshoe

STEPS = {"/steps": Path(__file__).parent / "steps"}

app = hotshoe.asgi(STEPS, unused_session_lifetime_milliseconds=600_000)

apps = hotshoe.asgi(STEPS, unused_session_lifetime_milliseconds=600_000)
site = FastAPI(lifespan=apps.lifespan)
site.mount("/apps", apps)
