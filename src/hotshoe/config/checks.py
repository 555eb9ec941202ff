"""What a text must look like for some settings. Each check returns what is wrong, or ``None``."""

from __future__ import annotations

import logging
import re
from ipaddress import ip_network

from ..log_fields import AddFields

_ORIGIN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\s\[\]]+)(:(?P<port>\*|\d+))?")

_FRAME_ANCESTOR = re.compile(r"'self'|'none'|https?:|((https?)://)?(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?")
_WSGI = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*(\(\))?")
_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


def check_origin(text: str) -> str | None:
    """``HOST[:PORT]``, an IPv6 address in brackets."""
    if "://" in text:
        return f"{text!r} is a URL: name only its host and port, {text.partition('://')[2].split('/')[0]!r}"
    match = _ORIGIN.fullmatch(text)
    if match is None or ((match["port"] or "*") != "*" and int(match["port"]) > 65535):
        return f"{text!r} is not HOST or HOST:PORT"
    return None


def check_frame_ancestor(text: str) -> str | None:
    """A source of a content security policy: ``self``, ``none``, a scheme, or a host."""
    return None if _FRAME_ANCESTOR.fullmatch(text) else f"{text!r} is not self, none or a site like https://example.org"


def check_prefix(text: str) -> str | None:
    """A path: no query, no fragment, no white space, no step up."""
    if re.search(r"[?#\s\\]|://", text) or ".." in text.split("/"):
        return f"{text!r} is not a path like /apps"
    return None


def check_wsgi(text: str) -> str | None:
    """``module:app`` or ``module:make_app()``."""
    return None if _WSGI.fullmatch(text) else f"{text!r} is not MODULE:APP, such as site:app"


def check_network(text: str) -> str | None:
    """An address, or a network as address and length."""
    try:
        ip_network(text)
    except ValueError as error:
        return f"{text!r} is not an address or a network like 10.0.0.0/8 ({error})"
    return None


def check_mode(text: str) -> str | None:
    """The permissions of a file in octal digits; its owner must be able to use it."""
    if not re.fullmatch("0?[67][0-7]{2}", text):
        return f"{text!r} is not a mode like 600 or 660"
    return None


def check_ico_path(text: str) -> str | None:
    """``default``, ``none``, or a file of icons."""
    if text.lower() in ("default", "default-dev", "none") or text.lower().endswith(".ico"):
        return None
    return f"{text!r} is not default, none or the path of an .ico file"


def check_log_format(text: str) -> str | None:
    """A ``%``-format that ``logging`` accepts and can fill."""
    record = logging.LogRecord("name", logging.INFO, "path", 1, "message", (), None)
    AddFields().filter(record)
    try:
        logging.Formatter(text).format(record)
    except (ValueError, TypeError, KeyError) as error:
        return f"{text!r} is not a format of Python's logging ({error})"
    return None


def session_ids_of(sign: str) -> str:
    """What ``BOKEH_SIGN_SESSIONS`` says, as a value of ``--session-ids``: a yes or a no, or it is none."""
    return {**dict.fromkeys(_YES, "signed"), **dict.fromkeys(_NO, "unsigned")}.get(sign.strip().lower(), sign)
