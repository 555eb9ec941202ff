"""A FastAPI site with a Bokeh app in it. FastAPI's lifespan starts and stops the app."""

from fastapi import FastAPI

import hotshoe

apps = hotshoe.asgi({"/wave": "../wave.py"})

site = FastAPI(lifespan=apps.lifespan)
site.mount("/apps", apps)


@site.get("/hello")
def hello():
    return {"the wave": "/apps/wave"}
