"""Tags that put apps into the pages of other sites. Imports no part of the server, and no Starlette."""

from .tags import app_tag, server_document, server_session

__all__ = ["app_tag", "server_document", "server_session"]
