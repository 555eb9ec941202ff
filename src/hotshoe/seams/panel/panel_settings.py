"""Settings of Panel that only its own server reads: an app that sets one is told what takes its place here."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

_log = logging.getLogger(__name__)

_UNUSED = {
    "admin": "there is no admin page",
    "admin_plugins": "there is no admin page",
    "autoreload": "use hotshoe serve --dev",
    "basic_auth": "NOBODY HAS TO LOG IN because of it: use --auth basic",
    "basic_auth_template": "the login page has no template",
    "index_titles": "the first line of an app's docstring is its title on the index",
    "oauth_provider": "NOBODY HAS TO LOG IN because of it: use --auth oidc and --oidc-issuer",
    "page_config": "use --index FILE for an index of your own",
    "profiler": "there is no profiler; py-spy record --pid PID needs no change of the app",
    "reuse_sessions": "each page has a session of its own",
    "session_history": "there is no history of sessions",
}
_warned: set[str] = set()


def warn_of_unused(config: Any, endpoints: Collection[str]) -> None:
    """Log each setting of Panel that has no effect here, and ``pn.state.publish``, once in a process."""
    for name, instead in _UNUSED.items():
        # Panel reads the one as the other if that is not set.
        if (value := getattr(config, name, None)) and (name != "basic_auth" or value != config.oauth_provider):
            _warn(f"pn.config.{name}", instead)
    if endpoints:
        _warn("pn.state.publish", "there are no such URLs; add them by a site: --wsgi MODULE:APP")


def _warn(name: str, instead: str) -> None:
    if name not in _warned:
        _warned.add(name)
        _log.warning("%s is for panel serve, and has no effect here: %s", name, instead)
