"""The front: one ASGI app for all HTTP and websockets of a server."""

from .front import Front
from .mount import Asgi, asgi

__all__ = ["Asgi", "Front", "asgi"]
