"""Scripts and style sheets of pages; for pages of other sites also ``autoload.js``, which CORS must allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from ..browser import retry_url
from ..findings import Finding, Severity, finding, size
from ..markup import json_at
from ..observations import Examination, Exchange, Mount, PageVisit, Resource
from ..probes import base_of
from ..urls import facts_of, is_inner

_LARGE_BYTES = 20_000
_TYPES = {"script": ("javascript", "ecmascript"), "style": ("text/css",)}
_CDNS = ("cdn.bokeh.org", "cdn.pydata.org", "cdn.jsdelivr.net", "unpkg.com", "cdnjs.cloudflare.com", "cdn.holoviz.org")
_AUTOLOAD_TYPES = ("javascript", "ecmascript", "json")


def check_mixed_content(seen: Examination) -> Iterator[Finding]:
    """Whether an https page loads files by http, which browsers block."""
    visit = seen.app_page
    if visit is None or not visit.last.address.is_secure:
        return
    bad = sorted(set(_insecure_urls(visit)))
    if bad:
        yield finding("page.mixed-content", facts_of(visit.last.address), files=_some(bad))


def _insecure_urls(visit: PageVisit) -> Iterator[str]:
    base = base_of(visit.last.address, visit.markup)
    markup = visit.markup
    for reference in (*markup.scripts, *markup.styles, *markup.images,
                      *(embed.source for embed in markup.embeds),
                      *(embed.arguments.get("bokeh-absolute-url", "") for embed in markup.embeds)):
        with suppress(ValueError):
            url = base.join(reference)
            if not url.is_secure:
                yield str(url)


def check_resources(_: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether the files come, with the right type, and compressed."""
    came = [resource for resource in mount.resources if _came(resource)]
    bad = [resource for resource in mount.resources if not _came(resource) and not _is_loader(resource)]
    mistyped = list(_check_types(came, facts))
    yield from (*_check_own(mount, bad, facts), *_check_foreign(bad, facts), *mistyped,
                *_check_compression(came, facts))
    if came and not bad and not mistyped:
        total = sum(_length(resource.exchange) for resource in came)
        yield finding("resources.ok" if len(came) > 1 else "resources.ok/one", count=len(came),
                      kind="script" if came[0].kind == "script" else "style sheet",
                      much=f", {size(total)}" if total else "")


def _came(resource: Resource) -> bool:
    return 0 < resource.exchange.status < 400


def _is_loader(resource: Resource) -> bool:
    """Whether it is hotshoe's script that makes ``<bokeh-app>`` work; check_embedding looks at it."""
    return resource.exchange.address.path.endswith("/embed.js")


def _check_own(mount: Mount, bad: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    own = [resource for resource in bad if resource.is_own]
    moved = next((resource for resource in own if resource.works_at), None)
    if moved is not None:
        yield finding("resources.wrong-prefix" if facts["bare_prefix"] else "resources.wrong-prefix/root", facts,
                      path=moved.exchange.address.path, status=_status(moved.exchange),
                      there=moved.works_at.partition("?")[0])
    by_folder: dict[str, list[Exchange]] = {}
    for resource in own:
        if not resource.works_at:
            by_folder.setdefault(_folder(resource.exchange.address.path), []).append(resource.exchange)
    for folder, lost in by_folder.items():
        is_bokehs = folder == f"{facts['bare_prefix']}/static/"
        yield finding("resources.missing/bokeh" if is_bokehs else "resources.missing",
                      facts_of(mount.app, folder=folder), files=_some([exchange.address.path for exchange in lost]),
                      folder=folder, statuses=", ".join(sorted({_status(exchange) for exchange in lost})))


def _folder(path: str) -> str:
    """The folder that a proxy must pass on as a whole."""
    for name in ("/_hotshoe/", "/static/"):
        if name in path:
            return path[:path.index(name)] + name
    return path.rpartition("/")[0] + "/"


def _check_foreign(bad: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    for kind, severity in (("script", Severity.PROBLEM), ("style", Severity.WARNING)):
        lost = [resource.exchange for resource in bad if not resource.is_own and resource.kind == kind]
        if lost:
            hosts = ", ".join(sorted({exchange.address.netloc for exchange in lost}))
            is_cdn = any(cdn in hosts for cdn in _CDNS)
            yield finding("resources.cdn" if is_cdn else "resources.foreign", facts, severity, hosts=hosts,
                          files=_some([str(exchange.address) for exchange in lost]), status=_status(lost[0]))


def _check_types(came: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    for resource in came:
        reply, media = resource.exchange, resource.exchange.media_type
        is_page = reply.body.lstrip()[:1] == b"<"
        if any(word in media for word in _TYPES[resource.kind]) and not is_page:
            continue
        is_strict = resource.kind == "style" or "nosniff" in reply.header("x-content-type-options").lower()
        is_bad = is_page or is_strict or media.startswith(("image/", "text/csv", "text/html"))
        yield finding("resources.type", facts, Severity.PROBLEM if is_bad else Severity.WARNING,
                      path=reply.address.path,
                      what="the response is an HTML page" if is_page else f"its Content-Type is {media or 'missing'}")
        return


def _check_compression(came: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    plain = [resource.exchange for resource in came if resource.is_own and _length(resource.exchange) >= _LARGE_BYTES
             and not resource.exchange.header("content-encoding")]
    if plain:
        yield finding("resources.uncompressed" if len(plain) > 1 else "resources.uncompressed/one", facts,
                      count=len(plain), size=size(sum(map(_length, plain))), path=plain[0].address.path)


def _length(reply: Exchange) -> int:
    text = reply.header("content-length").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _status(exchange: Exchange) -> str:
    return str(exchange.status or exchange.outcome)


def _some(names: list[str]) -> str:
    first = names[0].partition("?")[0]
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def check_embedding(seen: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether pages can embed the app: a problem if a page does, else a note."""
    if mount.autoload is not None:
        yield from _check_autoload(seen, mount, mount.autoload, facts)
    for resource in filter(_is_loader, mount.resources):
        if not _came(resource):
            yield finding("embedding.no-script", facts, address=resource.exchange.address)


def _check_autoload(seen: Examination, mount: Mount, answer: Exchange, facts: dict[str, str]) -> Iterator[Finding]:
    if mount.is_embedded and mount.page.is_secure and not mount.app.is_secure:
        yield finding("embedding.mixed-content", facts, page=mount.page.origin, address=mount.app)
        return
    if mount.is_embedded and is_inner(mount.app.host) and not is_inner(seen.asked.host):
        yield finding("embedding.inner", facts, page=mount.page.origin, address=mount.app)
        return
    severity = Severity.PROBLEM if mount.is_embedded else Severity.INFO
    where = f"{answer.address.path} of {answer.address.netloc}"
    if answer.trouble is not None:
        yield finding("embedding.no-answer", facts, severity, where=where, trouble=answer.outcome)
    elif (notice := _notice(answer)) is not None and "flag" in notice:
        yield finding("embedding.refused", facts, server=answer.address.netloc, error=notice["error"])
    elif answer.status in (401, 407) or answer.is_redirect:
        # A page of the same origin sends its cookies without being told to.
        yield finding("embedding.login" if mount.origin else "embedding.login/own", facts, severity, where=where,
                      status=answer.status)
    elif retry_url(answer) is not None:
        return  # check_page reports it
    elif answer.status >= 400:
        yield finding("embedding.missing", facts, severity, where=where, status=answer.status, reason=answer.reason,
                      said="" if notice is None else f" It says: {notice['error']}")
    elif not any(word in answer.media_type for word in _AUTOLOAD_TYPES):
        yield finding("embedding.type", facts, severity, where=where, media_type=answer.media_type or "no type")
    elif not mount.origin:
        yield finding("embedding.ok/own" if mount.is_embedded else "embedding.ok/alone", path=mount.app.path)
    else:
        yield from _check_cors(mount, answer, facts)


def _check_cors(mount: Mount, answer: Exchange, facts: dict[str, str]) -> Iterator[Finding]:
    page, preflight = mount.origin, mount.preflight
    allowed = list(answer.all("access-control-allow-origin"))
    if _allows(answer, page):
        yield finding("embedding.ok", page=page)
    else:
        case = "/several" if len(allowed) > 1 else "/other" if allowed else ""
        yield finding(f"embedding.cors{case}", facts, path=answer.address.path, page=page, count=len(allowed),
                      allowed=", ".join(allowed[:3]))
    if preflight is not None and not 0 < preflight.status < 300:
        yield finding("embedding.preflight", facts, answer=preflight.outcome)
    elif preflight is not None and not _allows(preflight, page):
        yield finding("embedding.preflight/refused", facts, page=page)


def _allows(reply: Exchange, origin: str) -> bool:
    allowed = list(reply.all("access-control-allow-origin"))
    return len(allowed) == 1 and allowed[0] in ("*", origin)


def _notice(answer: Exchange) -> dict[str, str] | None:
    """The error that hotshoe's script shows in place of the app, if any."""
    start = answer.text.find('{"elementid"')
    plan = json_at(answer.text, start) if start >= 0 else None
    return plan if isinstance(plan, dict) and isinstance(plan.get("error"), str) else None
