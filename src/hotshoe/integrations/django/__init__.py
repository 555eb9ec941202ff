"""Apps inside a Django site: ``"hotshoe.integrations.django"`` in ``INSTALLED_APPS``.

``bokeh_view`` makes a view of an app, for ``urls.py``; ``get_asgi_application`` is what ``asgi.py`` serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .views import bokeh_view

if TYPE_CHECKING:
    from .application import Application

__all__ = ["bokeh_view", "get_asgi_application"]


def get_asgi_application(around: Any = None) -> Application:
    """The site with its apps, as an ASGI application: in place of ``django.core.asgi``'s.

    ``around`` is the ASGI app that answers all that is not the apps', if that is more than Django: a
    ``ProtocolTypeRouter`` of Channels, say, with Django in it. Settings are ``HOTSHOE`` of Django's settings, by name.
    Raises ``ImproperlyConfigured``, one line, for a wrong setting, an app that can't be loaded, or a URL that it can't
    have.
    """
    import django

    django.setup(set_prefix=False)
    # Only who serves needs bokeh: manage.py's commands do not wait for it.
    from .application import Application, django_application

    return Application(django_application() if around is None else around)
