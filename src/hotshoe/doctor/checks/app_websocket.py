"""The app's websocket: its handshake and first messages, idle time, delayed messages, several backends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ..findings import Finding, duration, finding
from ..observations import Examination, Exchange, Mount, SocketClose, Talk, Trouble
from ..products import Product, recognise
from .app_page import date_of

_NO_UPGRADE = ('"upgrade" only to "websocket"', '"connection" must be "upgrade"')
_ORIGIN = ("cross origin", "origin not allowed", "does not let pages of", "bad origin", "invalid origin")
_TOO_LARGE = re.compile(r"too large|header.*size|size.*header")
_SLOW_S = 5.0
_STATUSES = {101: "websocket.bad-accept", 401: "websocket.login", 403: "websocket.forbidden",
             404: "websocket.not-found", 405: "websocket.not-found", 413: "headers.too-large/websocket",
             426: "websocket.upgrade-required", 431: "headers.too-large/websocket",
             494: "headers.too-large/websocket", 502: "websocket.bad-gateway", 503: "websocket.bad-gateway",
             504: "websocket.bad-gateway"}
_GATEWAY = {502: "can't reach the server", 503: "has no available server, or the server is full",
            504: "gets no response from the server"}
_PINGS_S = {True: 25.0, False: 37.0}
"""The default interval of pings, of hotshoe and of other servers."""
_PLATFORM_IDLE_S = {Product.HEROKU: 55, Product.AWS_ALB: 60, Product.GOOGLE: 30, Product.CLOUDFLARE: 100,
                    Product.FLY: 60, Product.AZURE: 230}
"""After how long they close an idle websocket, by default."""


def check_websocket(_: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether the page gets its websocket, and its document through it."""
    talk = mount.talk
    if talk is None:
        return
    if talk.exchange.trouble is not None:
        is_held = talk.exchange.trouble is Trouble.TIMEOUT
        yield finding("websocket.held" if is_held else "websocket.no-answer", facts, trouble=talk.exchange.outcome)
    elif not talk.is_websocket:
        yield _refused(mount, talk, talk.exchange, facts)
    elif not talk.subprotocol:
        ended = "" if talk.close is None else f" (and is closed{_because(talk.close)})"
        yield finding("websocket.subprotocol", facts, ended=ended)
    elif not talk.acknowledged:
        yield _silent(mount, talk, talk.exchange, facts)
    elif talk.error:
        yield finding("websocket.app-error", facts, error=talk.error)
    elif not talk.pulled:
        how = "no reply comes in time" if talk.close is None else f"the websocket is closed{_because(talk.close)}"
        yield finding("websocket.no-document", facts, how=how)
    else:
        took = duration(talk.pull_s)
        yield finding("websocket.ok", path=talk.exchange.address.path, page=mount.page.origin, took=took)
        if talk.pull_s > _SLOW_S:
            yield finding("websocket.slow", facts, took=took)


def _refused(mount: Mount, talk: Talk, reply: Exchange, facts: dict[str, str]) -> Finding:
    said = reply.text.strip()[:120]
    return finding(
        _refusal(talk, reply), facts, status=reply.status, reason=reply.reason, path=reply.address.path,
        page=mount.page.origin, said=said, brief=said[:60], why=talk.refusal or said or "the response gives no reason",
        target=reply.header("location"), token=0 if mount.token is None else len(mount.token.text),
        fails=_GATEWAY.get(reply.status), media_type=reply.media_type or "a page")


def _refusal(talk: Talk, reply: Exchange) -> str:
    """The key of the finding for an invalid response to a handshake."""
    text = reply.text[:4000].lower()
    if reply.is_redirect:
        return "websocket.login" if "login" in reply.header("location").lower() else "websocket.redirected"
    if reply.status == 400 and any(phrase in text for phrase in _NO_UPGRADE):
        return "websocket.no-upgrade"
    if reply.status == 400 and _TOO_LARGE.search(text):
        return "headers.too-large/websocket"
    if reply.status == 403 and any(phrase in text or phrase in talk.refusal.lower() for phrase in _ORIGIN):
        return "websocket.origin"
    return _STATUSES.get(reply.status, "websocket.swallowed" if reply.status < 300 else "websocket.refused")


def _silent(mount: Mount, talk: Talk, reply: Exchange, facts: dict[str, str]) -> Finding:
    close = talk.close
    if close is None:
        return finding("websocket.silent", facts)
    expires_at_s = None if mount.token is None else mount.token.expires_at_s
    now_s = date_of(reply)
    if expires_at_s is not None and now_s is not None and expires_at_s <= now_s:
        return finding("websocket.token-expired", facts, ago=duration(now_s - expires_at_s))
    if close.code == 1013:
        return finding("websocket.full", facts, reason=close.reason)
    is_token = close.code in (1005, 1008) or "token" in close.reason.lower()
    return finding("websocket.token-refused" if is_token else "websocket.closed", facts, because=_because(close))


def _because(close: SocketClose) -> str:
    reason = f", “{close.reason}”" if close.reason else ""
    return " without a close frame" if close.code is None else f" (code {close.code}{reason})"


def check_idle(seen: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether the first app's websocket stays open while it is idle."""
    talk = mount.talk
    if talk is None or not talk.pulled or mount is not seen.mounts[0]:
        return
    pings_s, often_s = _PINGS_S[mount.markup.is_hotshoe], _interval_s(talk)
    if talk.close is not None:
        yield _cut(talk, talk.close, pings_s, facts)
        return
    key = "idle.unwatched" if not talk.watched_s else "idle.ok" if talk.pings_s else "idle.quiet"
    often = f"every {duration(often_s)}" if often_s else f"after {duration(talk.pings_s[0])}" if talk.pings_s else ""
    yield finding(key, often=often, watched=duration(talk.watched_s), pings=f"{pings_s:g}")
    for sighting in recognise(seen.replies):
        limit = _PLATFORM_IDLE_S.get(sighting.kind)
        if limit is not None and sighting.kind is Product.GOOGLE:
            yield finding("idle.short/always", facts, platform=sighting.kind.label, limit=limit)
        elif limit is not None and limit < (often_s or pings_s):
            yield finding("idle.short", {**facts, "keep_alive": str(_keep_alive_ms(limit))},
                          platform=sighting.kind.label, limit=limit)


def _cut(talk: Talk, close: SocketClose, pings_s: float, facts: dict[str, str]) -> Finding:
    whom = "The server" if close.code is not None else "A proxy or firewall"
    after = duration(close.after_s)
    if talk.pings_s:
        often = f"pings came every {duration(_interval_s(talk))}" if len(talk.pings_s) > 1 else "a ping came before"
        return finding("idle.cut/pinged", facts, after=after, whom=whom, often=often)
    keep_alive = _keep_alive_ms(max(close.after_s - talk.pull_s, talk.watched_s))
    return finding("idle.cut", {**facts, "keep_alive": str(keep_alive)}, after=after, whom=whom, pings=f"{pings_s:g}")


def _keep_alive_ms(idle_s: float) -> int:
    """An interval of pings for this limit: half of it, in whole seconds; from 10 s on in steps of 5 s."""
    half_s = int(idle_s / 2)
    return 1000 * max(half_s - half_s % 5 if half_s >= 10 else half_s, 1)


def _interval_s(talk: Talk) -> float:
    """The mean interval of pings; 0 if there were fewer than two."""
    gaps = [after - before for before, after in pairwise(talk.pings_s)]
    return sum(gaps) / len(gaps) if gaps else 0.0


def check_buffering(seen: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether messages arrive when they are sent. The server sends ``ACK`` as soon as the websocket is open."""
    if mount.talk is not None and mount.talk.acknowledged and mount is seen.mounts[0]:
        yield finding("buffering.held", facts) if mount.talk.was_held else finding("buffering.ok")


def check_backends(_: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether all websockets of a page reach its session."""
    if mount.talk is None or not mount.others:
        return
    talks = (mount.talk, *mount.others)
    served = [talk for talk in talks if talk.pulled]
    if not served:
        return
    refused = [talk for talk in talks if talk.is_websocket and not talk.acknowledged]
    failed = [talk for talk in talks if not talk.is_websocket]
    # Any other title may come from the app, which can change it.
    restarted = [talk for talk in served[1:] if mount.mark and talk.title == mount.talk.title]
    for key, bad in (("refused", refused), ("uneven", failed), ("no-affinity", restarted)):
        if bad:
            yield finding(f"backends.{key}", facts, bad=len(bad), count=len(talks))
            return
    if mount.mark:
        yield finding("backends.ok", count=len(talks))
