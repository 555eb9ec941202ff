"""The front: one ASGI app for all HTTP and websockets of a server."""

from .asgi import Asgi, asgi
from .front import Front

__all__ = ["Asgi", "Front", "asgi"]
