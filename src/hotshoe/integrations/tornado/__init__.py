"""Apps inside a Tornado application, on its port: ``Application([(r"/", Home), *routes(apps, prefix="/apps")])``."""

from .handlers import routes

__all__ = ["routes"]
