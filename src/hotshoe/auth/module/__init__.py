"""Logins by the operator's own code: an auth module or object, written for Bokeh, Tornado or Starlette."""
