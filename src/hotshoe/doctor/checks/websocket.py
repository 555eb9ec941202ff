"""The websocket's handshake, and what is said after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..findings import Finding, ok, problem, warning
from ..observations import Examination, Failure, Mount, Reply, Talk, Trouble
from ..words import duration
from .page import date_of
from .places import facts_of

_NO_UPGRADE = ('"upgrade" only to "websocket"', '"connection" must be "upgrade"')
_ORIGIN = ("cross origin", "origin not allowed", "does not let pages of", "bad origin", "invalid origin")
_TOO_LARGE = re.compile(r"too large|header.*size|size.*header")
_SLOW_S = 5.0
_GATEWAY = {502: "does not reach the server for it", 503: "has no server for it, or that is full",
            504: "gets no answer for it in time"}


def check_websocket(seen: Examination) -> Iterator[Finding]:
    """Whether each app's page gets its websocket, and its document through it."""
    for mount in seen.mounts:
        if mount.talk is not None:
            yield from _of_mount(mount, mount.talk)


def _of_mount(mount: Mount, talk: Talk) -> Iterator[Finding]:
    facts = facts_of(mount.app, page_host=mount.page.netloc, page_origin=talk.origin)
    if isinstance(talk.exchange, Failure):
        yield _no_answer(talk, talk.exchange, facts)
    elif not talk.is_websocket:
        yield _refused(mount, talk, talk.exchange, facts)
    elif not talk.subprotocol:
        yield problem("websocket.subprotocol", "The handshake succeeds, but without the subprotocol "
                                               f"“bokeh”{_ended(talk)}: Sec-WebSocket-Protocol gets lost, and with it "
                                               "the token.",
                      "Have the proxy pass Sec-WebSocket-Protocol on, both ways.", **facts)
    elif not talk.acknowledged:
        yield _silent(mount, talk, talk.exchange, facts)
    else:
        yield from _conversed(talk, facts)


def _no_answer(talk: Talk, failure: Failure, facts: dict[str, str]) -> Finding:
    if failure.trouble is Trouble.TIMEOUT:
        return problem("websocket.held", "The handshake gets no answer in time, though other requests do.",
                       "Something on the way holds it back: have the proxy pass Upgrade on, and not wait for a whole "
                       "answer.", **facts)
    return problem("websocket.no-answer", f"The handshake gets no answer: {failure.trouble.value}.",
                   "A firewall or proxy may cut websockets off: allow them, or use https, which few look into.",
                   **facts)


def _refused(mount: Mount, talk: Talk, reply: Reply, facts: dict[str, str]) -> Finding:
    said = reply.text[:4000].lower()
    status, reason = reply.status, reply.reason
    if status == 101:
        return problem("websocket.bad-accept", "The handshake's answer is 101, but not to this handshake.",
                       "Something on the way answers for the server: a cache, or an agent that looks into https.",
                       **facts)
    if status == 426 or (status == 400 and any(words in said for words in _NO_UPGRADE)):
        return _not_upgraded(reply, facts)
    if status in (413, 431, 494) or (status == 400 and _TOO_LARGE.search(said)):
        token = 0 if mount.ticket is None else len(mount.ticket.text)
        return problem("headers.too-large", f"The handshake is refused as too large ({status}); its token has "
                                            f"{token} bytes.", "Raise the limit for request headers.", **facts)
    if status == 401 or reply.is_redirect:
        return _led_away(reply, facts)
    if status == 403:
        return _forbidden(talk, reply, said, facts)
    if status in _GATEWAY:
        return problem("websocket.bad-gateway", f"The handshake gets {status} {reason}: the proxy {_GATEWAY[status]}, "
                                                "though the page comes.",
                       "See the proxy's log; mostly websockets go another way than pages in its configuration.",
                       **facts)
    if status in (404, 405) or status < 300:
        return _astray(reply, facts)
    return problem("websocket.refused", f"The handshake gets {status} {reason}: {reply.text.strip()[:120]}",
                   "See the log of the proxy and of the server.", **facts)


def _not_upgraded(reply: Reply, facts: dict[str, str]) -> Finding:
    change = "Have the proxy speak HTTP/1.1 to the server and pass Upgrade and Connection on."
    if reply.status == 426:
        return problem("websocket.upgrade-required", "The handshake gets 426 Upgrade Required: the proxy has dropped "
                                                     "the Upgrade header, or speaks HTTP/1.0 to the server.",
                       change, **facts)
    return problem("websocket.no-upgrade", f"The handshake gets {reply.status} “{reply.text.strip()[:60]}”: the server "
                                           "saw a plain request, for the proxy has dropped the Upgrade header.",
                   change, **facts)


def _astray(reply: Reply, facts: dict[str, str]) -> Finding:
    if reply.status < 300:
        return problem("websocket.swallowed", f"The handshake gets {reply.status} and {reply.media_type or 'a page'}: "
                                              "something else answers it, and the server never sees it.",
                       "Have the proxy pass /ws below the app's path to the server, with Upgrade and Connection.",
                       **facts)
    return problem("websocket.not-found", f"The handshake gets {reply.status} {reply.reason} at {reply.address.path}, "
                                          "though the page is there.",
                   "Have the proxy pass everything below the app's path to the server, /ws too, by the same path.",
                   **facts)


def _led_away(reply: Reply, facts: dict[str, str]) -> Finding:
    if reply.status == 401 or "login" in reply.header("location").lower():
        return problem("websocket.login", f"The handshake gets {reply.status}: it is asked to log in, though the page "
                                          "came.",
                       "Let the handshake have the page's cookies and headers: the same login has to cover /ws.",
                       **facts)
    return problem("websocket.redirected", f"The handshake gets {reply.status}, to {reply.header('location')}: "
                                           "browsers follow no redirect of a websocket.",
                   "Redirect pages only, or use the address that this leads to.", **facts)


def _forbidden(talk: Talk, reply: Reply, said: str, facts: dict[str, str]) -> Finding:
    why = talk.refusal or reply.text.strip()[:120]
    if any(words in said or words in talk.refusal.lower() for words in _ORIGIN):
        return problem("websocket.origin", f"The handshake gets 403, for the server refuses pages of {talk.origin}: "
                                           f"{why}",
                       "Have the proxy pass Host on as it is, or start the server with --allow-websocket-origin "
                       f"{facts['page_host']}.", **facts)
    return problem("websocket.forbidden", f"The handshake gets 403: {why or 'no reason is given'}",
                   "See the log of whoever answers: a firewall for web applications, an access rule, or the server.",
                   **facts)


def _silent(mount: Mount, talk: Talk, reply: Reply, facts: dict[str, str]) -> Finding:
    close = talk.close
    if close is None:
        return problem("websocket.silent", "The websocket opens, and then nothing comes through it.",
                       "Something on the way holds data back: switch its buffering off.", **facts)
    expires_at_s = None if mount.ticket is None else mount.ticket.expires_at_s
    now_s = date_of(reply)
    if expires_at_s is not None and now_s is not None and expires_at_s <= now_s:
        return problem("websocket.token-expired", "The server closes the websocket: the page's token has expired, "
                                                  f"{duration(now_s - expires_at_s)} ago by its clock.",
                       "Set the clocks of all servers by NTP, and cache no pages.", **facts)
    if close.code == 1013:
        return problem("websocket.full", f"The server has no room: {close.reason}.",
                       "Raise its limit of sessions, or add servers.", **facts)
    if close.code in (1005, 1008) or "token" in close.reason.lower():
        return problem("websocket.token-refused", f"The server opens the websocket and closes it{_because(talk)}: it "
                                                  "does not accept the page's token.",
                       "Another server than the one that made the page has another key, or another clock: give all "
                       "the same BOKEH_SECRET_KEY, or send a visitor always to the same one.", **facts)
    return problem("websocket.closed", f"The server opens the websocket and closes it at once{_because(talk)}.",
                   "See the server's log.", **facts)


def _because(talk: Talk) -> str:
    close = talk.close
    if close is None:
        return ""
    reason = f", “{close.reason}”" if close.reason else ""
    return " without a word" if close.code is None else f" (code {close.code}{reason})"


def _ended(talk: Talk) -> str:
    return f" (and is closed{_because(talk)})" if talk.close is not None else ""


def _conversed(talk: Talk, facts: dict[str, str]) -> Iterator[Finding]:
    if talk.error:
        yield problem("websocket.app-error", f"The server can't send the document: {talk.error}", "See the server's "
                                                                                                  "log.",
                      **facts)
    elif not talk.pulled:
        how = f"the websocket is closed{_because(talk)}" if talk.close is not None else "nothing comes in time"
        yield problem("websocket.no-document", f"The websocket opens, but no document comes through it: {how}.",
                      "See the server's log: a callback may hold the session, or the document is too large for the "
                      "proxy.",
                      **facts)
    else:
        yield ok("websocket.ok", f"{talk.address.path} opens for pages of {talk.origin}; the document came in "
                                 f"{duration(talk.pull_s)}.")
        if talk.pull_s > _SLOW_S:
            yield warning("websocket.slow", f"The document took {duration(talk.pull_s)}.",
                          "See how large it is, and what its session is doing.", **facts)
