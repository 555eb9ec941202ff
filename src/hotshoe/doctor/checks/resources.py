"""Scripts and style sheets of the page, and what https forbids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from ..findings import Finding, ok, problem, warning
from ..observations import Examination, Failure, Mount, Reply, Resource, Visit
from ..paths import base_of
from ..words import size
from .places import facts_of

_WORTH_BYTES = 20_000
_SCRIPTS = ("javascript", "ecmascript")
_STYLES = ("text/css",)
_CDNS = ("cdn.bokeh.org", "cdn.pydata.org", "cdn.jsdelivr.net", "unpkg.com", "cdnjs.cloudflare.com", "cdn.holoviz.org")


def check_mixed_content(seen: Examination) -> Iterator[Finding]:
    """What a page of https loads by http, which browsers block."""
    visit = seen.visited
    if visit is None or not visit.last.address.is_secure:
        return
    bad = sorted(set(_insecure(visit)))
    if bad:
        yield problem("page.mixed-content", f"The page is https, and asks for {_some(bad)} by http, which browsers "
                                            "block.",
                      "Use addresses without a scheme (/path), and tell the server that visitors come by https: pass "
                      "X-Forwarded-Proto, and start it with --use-xheaders.", **facts_of(visit.last.address))


def _insecure(visit: Visit) -> Iterator[str]:
    base = base_of(visit.last.address, visit.markup)
    markup = visit.markup
    references = [*markup.scripts, *markup.styles, *markup.images, *(embed.source for embed in markup.embeds)]
    for reference in references:
        try:
            url = urljoin(base, reference.strip())
        except ValueError:
            continue
        if url.startswith("http://"):
            yield url
    for embed in markup.embeds:
        if embed.arguments.get("bokeh-absolute-url", "").startswith("http://"):
            yield embed.arguments["bokeh-absolute-url"]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is worth saying of a resource."""

    resource: Resource
    reply: Reply


def check_resources(seen: Examination) -> Iterator[Finding]:
    """Whether they come, and as what they should be."""
    for mount in seen.mounts:
        if mount.resources:
            yield from _of_mount(mount)


def _of_mount(mount: Mount) -> Iterator[Finding]:
    facts = facts_of(mount.app)
    came = [_Kept(resource, resource.exchange) for resource in mount.resources
            if isinstance(resource.exchange, Reply) and resource.exchange.status < 400]
    bad = [resource for resource in mount.resources if not came_through(resource) and not is_loader(resource)]
    findings = [*_missing(mount, bad, facts), *_unreachable(bad, facts), *_mistyped(came, facts), *_large(came, facts)]
    yield from findings
    if came and not bad and not any(finding.id == "resources.type" for finding in findings):
        total = sum(_length(kept.reply) or 0 for kept in came)
        much = f", {size(total)}" if total else ""
        what = f"All {len(came)} scripts and style sheets come" if len(came) > 1 else \
            f"The one {'script' if came[0].resource.kind == 'script' else 'style sheet'} comes"
        yield ok("resources.ok", f"{what}{much}.")


def came_through(resource: Resource) -> bool:
    """Whether there was something at its address."""
    return isinstance(resource.exchange, Reply) and resource.exchange.status < 400


def is_loader(resource: Resource) -> bool:
    """Whether it is the script of hotshoe that a page with ``<bokeh-app>`` needs."""
    return resource.exchange.address.path.endswith("/embed.js")


def _missing(mount: Mount, bad: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    own = [(resource, resource.exchange) for resource in bad if resource.is_own]
    moved = [(resource, reply) for resource, reply in own if resource.works_at]
    if moved:
        resource, reply = moved[0]
        there = resource.works_at.partition("?")[0]
        yield problem("resources.wrong-prefix",
                      f"{reply.address.path} is not there ({_status(reply)}); it is at {there}: a prefix is missing, "
                      "or too much.",
                      f"Have the proxy pass paths on as they are, and start the server {_prefix(facts)}.", **facts)
    lost = [reply for resource, reply in own if not resource.works_at]
    for folder in dict.fromkeys(_folder(reply.address.path) for reply in lost):
        inside = [reply for reply in lost if _folder(reply.address.path) == folder]
        statuses = sorted({_status(reply) for reply in inside})
        instead = ", or serve bokeh's files there (hotshoe info --static names the folder)" \
            if folder == f"{facts['bare_prefix']}/static/" else ""
        yield problem("resources.missing", f"{_some([reply.address.path for reply in inside])}: "
                                           f"{', '.join(statuses)}. Without it the page stays empty.",
                      f"Have the proxy pass {folder} to the server{instead}.", **facts_of(mount.app, folder=folder))


def _prefix(facts: dict[str, str]) -> str:
    prefix = facts["bare_prefix"]
    return f"with the prefix that visitors see: --prefix {prefix}" if prefix else \
        "without --prefix, for visitors see none"


def _folder(path: str) -> str:
    """What a proxy has to pass on as a whole, for a file in it to be there."""
    for name in ("/_hotshoe/", "/static/"):
        if name in path:
            return path[:path.index(name)] + name
    return path.rpartition("/")[0] + "/"


def _unreachable(bad: Iterable[Resource], facts: dict[str, str]) -> Iterator[Finding]:
    for kind, make in (("script", problem), ("style", warning)):
        lost = [resource.exchange for resource in bad if not resource.is_own and resource.kind == kind]
        if not lost:
            continue
        hosts = ", ".join(sorted({exchange.address.netloc for exchange in lost}))
        said = f"{_some([str(exchange.address) for exchange in lost])} can't be loaded from here: {_status(lost[0])}."
        if any(cdn in hosts for cdn in _CDNS):
            yield make("resources.cdn", said, "Start the server with BOKEH_RESOURCES=server, so that it serves BokehJS "
                                              f"itself; or open {hosts} in the firewall of those who visit.", **facts)
        else:
            yield make("resources.foreign", said,
                       f"See who names {hosts}: the page, BOKEH_RESOURCES of the server, or the script that embeds the "
                       "app, whose bokeh-absolute-url has to be the address that visitors have.", **facts)


def _mistyped(came: Iterable[_Kept], facts: dict[str, str]) -> Iterator[Finding]:
    for kept in came:
        media, reply = kept.reply.media_type, kept.reply
        is_page = reply.body.lstrip()[:1] == b"<"
        wanted = _SCRIPTS if kept.resource.kind == "script" else _STYLES
        right = any(word in media for word in wanted)
        if right and not is_page:
            continue
        strict = kept.resource.kind == "style" or "nosniff" in reply.header("x-content-type-options").lower()
        make = problem if is_page or strict or media.startswith(("image/", "text/csv", "text/html")) else warning
        what = "a page instead of the file" if is_page else f"Content-Type {media or 'missing'}"
        yield make("resources.type", f"{reply.address.path} comes as {what}.",
                   "Serve .js as text/javascript and .css as text/css; a page means that something else answers for "
                   "this path.", **facts)
        return


def _large(came: Iterable[_Kept], facts: dict[str, str]) -> Iterator[Finding]:
    plain = [kept.reply for kept in came if kept.resource.is_own and not kept.reply.header("content-encoding")
             and (_length(kept.reply) or 0) >= _WORTH_BYTES]
    if plain:
        total = sum(_length(reply) or 0 for reply in plain)
        what = f"{len(plain)} files, {size(total)}, are" if len(plain) > 1 else \
            f"{plain[0].address.path}, {size(total)}, is"
        yield warning("resources.uncompressed", f"{what} not compressed.",
                      "Compress: a third of the bytes is left, and the page is there so much sooner.", **facts)


def _length(reply: Reply) -> int | None:
    text = reply.header("content-length").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _status(exchange: Reply | Failure) -> str:
    return str(exchange.status) if isinstance(exchange, Reply) else exchange.trouble.value


def _some(names: list[str]) -> str:
    first = names[0].partition("?")[0]
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
