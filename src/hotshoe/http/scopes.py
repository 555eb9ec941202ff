"""The keys that hotshoe adds to ASGI scopes. No client can set one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TRUSTED_PROXY = "hotshoe.trusted_proxy"
"""Whether the request came from a trusted proxy, so that its headers about the user can be believed."""
CLIENT_KNOWN = "hotshoe.client_known"
"""Whether ``client`` is the client's own address, not a proxy's, so that limits may count it."""
PREFIX_TOLD = "hotshoe.prefix_told"
"""Whether proxies tell which prefix they remove, so that ``root_path`` is right for the browser."""
MOUNT = "hotshoe.mount"
"""The path at which a framework has mounted the front; see ``paths.mount_of``."""
LOGOUT_URL = "hotshoe.logout_url"
"""The URL for logging out."""
SET_COOKIES = "hotshoe.cookies"
"""A list to which a provider of users may add values of ``Set-Cookie`` for the response."""
ADMISSION = "hotshoe.admission"
"""The ``Admission`` for a site's view that decides whether an app may be shown."""
PAGE_QUERY = "hotshoe.page_query"
"""The query of a websocket's page, from its token, for a site that is asked whether the app may be shown."""
HAS_LEFT = "hotshoe.has_left"
"""Set by our own server: a function that returns whether the client has disconnected. It works also while a part of the
body is unread, which ``receive`` would return first."""
HEAD_ONLY = "hotshoe.head_only"
"""Set by our own server and for Tornado's: the headers are those of the request's head, and no trailer can be among
them."""
DOUBTED = "hotshoe.doubted"
"""Set if a trailer may be among the headers: then none of them names a user, an address or a host."""
WSGI_CLIENT = "hotshoe.wsgi_client"
"""The ``WsgiClient`` of a WSGI request."""
BACKLOG = "hotshoe.websocket.backlog"
"""Set by our own server: the ``Backlog`` of a websocket, which it shares with what reads the messages."""
BATCH = "hotshoe.websocket.batch"
"""An ASGI extension and its message: ``{"type": BATCH, "fragments": [(data, is_binary), …]}``."""

OWN_COOKIES = "hotshoe_"
"""The beginning of the names of our own cookies. Apps do not see these: the cookie of a login is enough to log in."""
