"""``autoload.js`` and CORS: whether other pages may show the app."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..addresses import Address
from ..findings import Finding, info, ok, problem
from ..observations import Autoload, Examination, Failure, Mount, Reply
from ..starting import again_of
from .places import facts_of, is_inner
from .resources import came_through, is_loader

_SCRIPTS = ("javascript", "ecmascript", "json")


def check_embedding(seen: Examination) -> Iterator[Finding]:
    """Of an app that a page embeds, a problem; of one that nobody embeds yet, a note."""
    for mount in seen.mounts:
        if mount.autoload is not None:
            yield from _of_mount(seen.asked, mount, mount.autoload)
        for resource in mount.resources:
            if is_loader(resource) and not came_through(resource):
                yield problem("embedding.no-script", f"{resource.exchange.address} is not there, which <bokeh-app> "
                                                     f"needs.",
                              "Have the proxy pass it to hotshoe; with another server, which has none, embed with "
                              "server_document of bokeh.embed.", **facts_of(mount.app))


def _of_mount(asked: Address, mount: Mount, autoload: Autoload) -> Iterator[Finding]:
    facts = facts_of(mount.app, page_host=mount.page.netloc, page_origin=mount.page.origin)
    if mount.is_embedded and mount.page.is_secure and not mount.app.is_secure:
        yield problem("embedding.mixed-content", f"{mount.page.origin} is https and embeds {mount.app}, which is http: "
                                                 "browsers block it.",
                      "Embed it by https, or by a path if it is on the same host.", **facts)
        return
    if mount.is_embedded and is_inner(mount.app.host) and not is_inner(asked.host):
        yield problem("embedding.inner", f"{mount.page.origin} embeds {mount.app}, an address that visitors can't "
                                         "reach.",
                      "Embed it by the address that visitors have, or by a path if it is on the same host.", **facts)
        return
    answer = autoload.answer
    make = problem if mount.is_embedded else info
    where = f"{answer.address.path} of {answer.address.netloc}"
    if isinstance(answer, Failure):
        yield make("embedding.no-answer", f"{where}: {answer.trouble.value}.",
                   "Have the proxy pass this path to the server.", **facts)
    elif (notice := _notice(answer)) is not None and "flag" in notice:
        yield problem("embedding.refused", f"{answer.address.netloc} says: {notice['error']}",
                      f"Start the server with --allow-websocket-origin {facts['page_host']}.", **facts)
    elif answer.status in (401, 407) or answer.is_redirect:
        yield make("embedding.login", f"{where} answers with {answer.status}: it asks for a login, which a script "
                                      "can't do.", _login(autoload), **facts)
    elif again_of(answer) is not None:
        return  # is said of the page
    elif answer.status >= 400:
        said = "" if notice is None else f" It says: {notice['error']}"
        yield make("embedding.missing", f"{where} answers with {answer.status} {answer.reason}.{said}",
                   "Have the proxy pass everything below the app's path to the server, not the page alone.", **facts)
    elif not any(word in answer.media_type for word in _SCRIPTS):
        yield make("embedding.type", f"{where} comes as {answer.media_type or 'no type'}, not as a script.",
                   "Something else answers for this path: have the proxy pass it to the server.", **facts)
    else:
        yield from _cors(mount, autoload, answer, facts)


def _login(autoload: Autoload) -> str:
    own = "For the doctor, give the login's cookie with --cookie 'NAME=VALUE'."
    if not autoload.origin:  # a page of the same origin sends its cookies anyway
        return f"A visitor has to be logged in before the page shows the app. {own}"
    return f"Let pages that embed the app send its cookies (with-credentials), and log in first. {own}"


def _cors(mount: Mount, autoload: Autoload, answer: Reply, facts: dict[str, str]) -> Iterator[Finding]:
    origin = autoload.origin
    if not origin:
        told = "from the page's own origin" if mount.is_embedded else "--from ORIGIN says which sites may show it"
        yield ok("embedding.ok", f"autoload.js of {mount.app.path} comes; {told}.")
        return
    allowed = list(answer.all("access-control-allow-origin"))
    yield from _allowed(allowed, origin, answer, facts)
    yield from _preflight(autoload, origin, facts)
    if _fits(allowed, origin):
        yield ok("embedding.ok", f"Pages of {origin} may load autoload.js.")


def _fits(allowed: list[str], origin: str) -> bool:
    return len(allowed) == 1 and allowed[0] in ("*", origin)


def _allowed(allowed: list[str], origin: str, answer: Reply, facts: dict[str, str]) -> Iterator[Finding]:
    if _fits(allowed, origin):
        return
    if not allowed:
        words = "no Access-Control-Allow-Origin"
        change = "Bokeh's servers send it: have the proxy not take it away, or add it."
    elif len(allowed) > 1:
        words = f"Access-Control-Allow-Origin {len(allowed)} times ({', '.join(allowed[:3])}), which browsers refuse"
        change = "Add it in one place only: the server sends it already."
    else:
        words = f"Access-Control-Allow-Origin: {allowed[0]}"
        change = f"Send {origin} or *."
    yield problem("embedding.cors", f"{answer.address.path} is asked for by a page of {origin} and answers with "
                                    f"{words}.",
                  change, **facts)


def _preflight(autoload: Autoload, origin: str, facts: dict[str, str]) -> Iterator[Finding]:
    preflight = autoload.preflight
    if preflight is None:
        return
    if isinstance(preflight, Failure) or preflight.status >= 300:
        came = preflight.trouble.value if isinstance(preflight, Failure) else f"{preflight.status} {preflight.reason}"
        yield problem("embedding.preflight", f"OPTIONS, which browsers ask first of another origin, gets {came}.",
                      "Pass OPTIONS on to the server, without a login.", **facts)
    elif not _fits(list(preflight.all("access-control-allow-origin")), origin):
        yield problem("embedding.preflight", f"OPTIONS does not allow {origin}.",
                      "Pass OPTIONS on to the server, which answers it.", **facts)


def _notice(answer: Reply) -> dict[str, str] | None:
    """What hotshoe's script shows instead of the app, if it does."""
    text = answer.text
    start = text.find('{"elementid"')
    if start < 0 or '"error"' not in text:
        return None
    try:
        plan, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return plan if isinstance(plan, dict) and isinstance(plan.get("error"), str) else None
