"""Makes the host. This is the only place that chooses its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..apps.loading import with_apps_of_site
from ..config import Settings
from ..pages.assets import OWN_STATIC, STATIC
from .host import Host
from .inline import InlineHost


def make_host(targets: Any, settings: Settings, *, of_site: Mapping[str, Any] | None = None,
              reloads: bool = True, is_export: bool = False) -> Host:
    """Make a host that has loaded ``targets``: the path of an app, a function, an Application, several of these, or a
    mapping by URL.

    ``of_site`` has the site's own apps by URL; without a site it is ``None``. In dev mode, ``reloads`` loads apps again
    when their files change. With ``is_export`` there are no visitors, so no app is asked about them. Raises
    ``AppError`` for a target that is not an app, ``ConfigError`` if a setting needs a package that is not installed.
    """
    if of_site is None:
        return InlineHost(targets, settings, reloads=reloads, static=STATIC, is_export=is_export)
    return InlineHost(with_apps_of_site(targets, of_site), settings, reloads=reloads, static=OWN_STATIC)
