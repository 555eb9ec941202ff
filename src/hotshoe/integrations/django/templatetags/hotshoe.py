# mypy: disable-error-code="untyped-decorator"
"""``{% load hotshoe %}{% bokeh_app "/sliders" %}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import get_script_prefix, reverse
from django.utils.safestring import SafeString, mark_safe

from hotshoe.embed import app_tag
from hotshoe.http.paths import path_with

register = template.Library()


@register.simple_tag(takes_context=True)
def bokeh_app(
    context: Mapping[str, Any], address: str = "", *, name: str = "", arguments: Mapping[str, Any] | None = None,
    **more: Any,
) -> SafeString:
    """The element of an app in the page.

    ``address`` is its path in this site, a result of ``{% url %}``, or a full URL; ``name=`` is the name of a URL
    pattern. Other keywords are arguments of the app, and ``arguments`` is a dict of further ones. If the page has a
    nonce for its content security policy, the tag uses it.
    """
    if bool(address) == bool(name):
        raise template.TemplateSyntaxError("bokeh_app takes the path of an app, or name= of a URL pattern")
    url = reverse(name) if name else path_with(address, str(get_script_prefix()).rstrip("/"))
    tag = app_tag(url, arguments={**(arguments or {}), **more}, nonce=_nonce(context))
    return mark_safe(tag)  # noqa: S308 - app_tag escapes


def _nonce(context: Mapping[str, Any]) -> str:
    """The nonce of Django 6's context processor, or of django-csp."""
    nonce = context.get("csp_nonce")
    if nonce is None:
        nonce = getattr(context.get("request"), "csp_nonce", None)
    return "" if nonce is None else str(nonce)
