# mypy: disable-error-code="untyped-decorator"
"""``{% load hotshoe %}{% bokeh_app "/sliders" %}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import get_script_prefix, reverse
from django.utils.safestring import SafeString, mark_safe

from hotshoe.embed import app_tag

register = template.Library()


@register.simple_tag(takes_context=True)
def bokeh_app(
    context: Mapping[str, Any], address: str = "", *, name: str = "", arguments: Mapping[str, Any] | None = None,
    **more: Any,
) -> SafeString:
    """An app as a part of the page.

    ``address`` is its path in this site, or what ``{% url %}`` gives, or a whole URL; ``name=`` is the name of a URL
    pattern. Other keywords are arguments of the app, and ``arguments`` is a dict of some. The nonce of a content
    security policy is added where the page has one.
    """
    if bool(address) == bool(name):
        raise template.TemplateSyntaxError("bokeh_app takes the path of an app, or name= of a URL pattern")
    url = reverse(name) if name else _below_prefix(address)
    tag = app_tag(url, arguments={**(arguments or {}), **more}, nonce=_nonce(context))
    return mark_safe(tag)  # noqa: S308 - app_tag escapes


def _below_prefix(address: str) -> str:
    """A path of this site as the browser needs it. What begins with the prefix has it already."""
    prefix = str(get_script_prefix())
    if not address.startswith("/") or address.startswith(("//", prefix)):
        return address
    return prefix.rstrip("/") + address


def _nonce(context: Mapping[str, Any]) -> str:
    """Of Django 6's context processor, or of django-csp."""
    nonce = context.get("csp_nonce")
    if nonce is None:
        nonce = getattr(context.get("request"), "csp_nonce", None)
    return "" if nonce is None else str(nonce)
