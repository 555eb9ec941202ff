"""Puts something of the request into the token."""

from typing import Any


def process_request(request: Any) -> dict[str, Any]:
    return {"from_hook": request.headers.get("X-Of-Page", "nothing")}
