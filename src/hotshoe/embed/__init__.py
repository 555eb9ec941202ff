"""Tags that put apps into the pages of other sites. Needs no server: neither Starlette nor a host is imported."""

from .tags import app_tag, server_document, server_session

__all__ = ["app_tag", "server_document", "server_session"]
