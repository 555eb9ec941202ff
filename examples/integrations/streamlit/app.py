"""Streamlit and a Bokeh app in one process on one port."""

import streamlit as st
from starlette.routing import Mount

import hotshoe

apps = hotshoe.asgi({"/wave": "../wave.py"})
app = st.App("dashboard.py", routes=[Mount("/apps", apps)], lifespan=apps.lifespan)
