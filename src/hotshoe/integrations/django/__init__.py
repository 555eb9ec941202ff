"""Apps inside a Django site: ``"hotshoe.integrations.django"`` in ``INSTALLED_APPS``.

``bokeh_view`` makes a view of an app, for ``urls.py``; ``get_asgi_application`` makes the application for ``asgi.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .views import bokeh_view

if TYPE_CHECKING:
    from .application import Application

__all__ = ["bokeh_view", "get_asgi_application"]


def get_asgi_application(around: Any = None) -> Application:
    """The site with its apps, as an ASGI application; it replaces that of ``django.core.asgi``.

    ``around`` is the ASGI app for all other requests, if that is not Django alone: for instance a
    ``ProtocolTypeRouter`` of Channels that contains Django. hotshoe's settings are in ``HOTSHOE`` of Django's
    settings, by name. Raises ``ImproperlyConfigured`` for a wrong setting, an app that cannot be loaded, or a URL that
    an app cannot have.
    """
    import django

    django.setup(set_prefix=False)
    # Imported here, since other commands of manage.py should not wait for the import of bokeh.
    from .application import Application, django_application

    return Application(django_application() if around is None else around)
