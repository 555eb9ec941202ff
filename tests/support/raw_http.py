"""HTTP as it travels: paths are sent as they are written, and nothing follows, decodes or repairs an answer."""

from __future__ import annotations

import hashlib
import html
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names are in lower case."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The body as JSON data."""
        return json.loads(self.body)

    @property
    def digest(self) -> str:
        """A fingerprint of the body."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @property
    def token(self) -> str:
        """The session token of a page or an autoload script."""
        found = re.search(r'"token":\s*"([^"]+)"', self.text)
        assert found is not None, self.text[:2000]
        return found.group(1)

    @property
    def title(self) -> str | None:
        """The title of a page."""
        found = re.search(r"<title>(.*?)</title>", self.text, re.DOTALL)
        return html.unescape(found.group(1).strip()) if found else None


def request(port: int, path: str, method: str = "GET", headers: Mapping[str, str] = {}) -> Reply:
    """Ask once, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, headers={"Host": f"localhost:{port}", **headers})
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(path, answer.status, answer.reason, names, answer.read())
    finally:
        connection.close()


def get(port: int, path: str, headers: Mapping[str, str] = {}) -> Reply:
    """``request`` with GET."""
    return request(port, path, headers=headers)


@dataclass(frozen=True, slots=True)
class Question:
    """An HTTP question to a server; ``site`` names the configuration that is asked."""

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    site: str = "many"
