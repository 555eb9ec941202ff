"""What a provider's server is asked goes to that server only: forms have the secret of the client."""

from __future__ import annotations

import pytest
from tests.support.http_site import sent_to, site

from hotshoe.auth.fetching import Fetcher
from hotshoe.base.errors import RequestError


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    with site() as here, site("127.0.0.2") as there:
        here.answers = {"/token": sent_to(f"{there.url}/token", status)}
        there.answers = {"/token": (200, {}, "{}")}
        fetcher = Fetcher()
        try:
            with pytest.raises(RequestError):
                await fetcher.get(f"{here.url}/token", {"Authorization": "Bearer secret"})
            with pytest.raises(RequestError):
                await fetcher.post(f"{here.url}/token", "client_secret=secret", {})
        finally:
            await fetcher.close()
    assert len(here.heard) == 2
    assert there.heard == []
