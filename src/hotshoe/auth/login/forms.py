"""Reads forms, within limits, and checks that the form came from one of our own pages."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ...base.errors import RequestError
from .sealing import Seal

FIELD = "form_token"
_MOST_BYTES = 16_384
_MOST_FIELDS = 10
_PATIENCE_S = 30.0
_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of several fields with one name, the last. Raises ``RequestError``."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise RequestError("A form has to be sent as the login page sends it.", status=415)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            body = await _body(request)
        # Invalid UTF-8 becomes U+FFFD, which no password contains.
        fields = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except TimeoutError:
        raise RequestError("The form took too long to arrive.", status=408) from None
    except ClientDisconnect:
        raise RequestError("The form did not arrive.") from None
    except ValueError:
        raise RequestError("The form has too many fields.") from None
    return {name: values[-1] for name, values in fields.items()}


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise RequestError("The form is too large.", status=413)
    return bytes(body)


def masked(token: str) -> str:
    """The token as each page has it, never twice in the same way.

    Otherwise, if a proxy compresses the page, its size would tell whether the address repeats a part of the token
    (BREACH).
    """
    secret = token.encode()
    mask = secrets.token_bytes(len(secret))
    return (mask + _xor(secret, mask)).hex()


def _unmasked(text: str) -> bytes:
    """The token in a form; empty for a text that is none."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return b""
    half = len(data) // 2
    return _xor(data[:half], data[half:]) if len(data) == 2 * half else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


class CsrfProtection:
    """Refuses forms that another site makes a browser send (cross-site request forgery).

    The token in a form must equal the token in a sealed cookie, so nobody can invent a pair. This works behind every
    proxy; a check of ``Origin`` works only if the server knows the host name that the browser uses. A browser's
    ``Sec-Fetch-Site`` is checked as well: the owner of another subdomain could plant a cookie of theirs in the browser.
    All tabs share one token.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._seal = Seal(keys, "form")

    def token(self, request: Request) -> str:
        """The token for a form: the one in the browser's cookie, or a new one. The page has it ``masked``."""
        return self._known(request) or secrets.token_urlsafe(16)

    def keep(self, response: Response, request: Request, token: str) -> None:
        """Set the cookie with the form's token, unless the browser has it already."""
        if token != self._known(request):
            self._seal.set_cookie(response, request, {"t": token})

    def problem(self, request: Request, form: Mapping[str, str]) -> str | None:
        """Why the form is refused, as a text for the user; ``None`` if it is accepted."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "This form was sent by another site. Please fill it in here."
        known = self._known(request)
        if known is None:
            return "Your browser did not send the cookie that comes with this form. Please allow cookies and try again."
        if not hmac.compare_digest(known.encode(), _unmasked(form.get(FIELD, ""))):
            return "This form was not meant for this browser. Please try again."
        return None

    def _known(self, request: Request) -> str | None:
        return next((value["t"] for value in self._seal.cookies(request) if isinstance(value.get("t"), str)), None)
