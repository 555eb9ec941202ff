"""The page: its status, where redirects lead, whether there is an app on it, and whether it is fresh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from ..findings import Finding, info, ok, problem, warning
from ..observations import Examination, Exchange, Failure, Mount, Reply, Trouble, Visit
from ..starting import again_of
from ..words import duration, size
from .places import facts_of, is_inner

_SLOW_S = 8.0
_SKEW_S = 60.0
_TOO_LARGE = (413, 431, 494)
_LOGIN = re.compile(r"(?<![a-z])(log-?in|sign-?in|oauth2?|authorize|saml2?|sso)(?![a-z])", re.IGNORECASE)
_STATUSES = {
    400: ("bad-request", "the request is refused as malformed", "See the log of whoever answers; often a Host or "
                                                                "header that it does not accept."),
    403: ("forbidden", "access is refused", "Allow it in the proxy or the server; see their logs for the reason."),
    404: ("not-found", "there is nothing at this path",
          "Check the path; if a proxy cuts off or adds a prefix, have it pass the path on as it is"),
    429: ("limited", "there are too many requests", "Raise the limit of whoever answers."),
    500: ("app-error", "the app or the site fails", "See the server's log; the error's id is on the page."),
    502: ("bad-gateway", "the proxy does not reach the server",
          "Start the server, and name the address and port on which it listens in the proxy's configuration."),
    503: ("unavailable", "there is no server, or it is full",
          "Start the server; if it runs, see its log and its limit of sessions."),
    504: ("gateway-timeout", "the server does not answer the proxy in time",
          "See whether the app takes long to start; raise the proxy's timeout for the first byte."),
}


def check_page(seen: Examination) -> Iterator[Finding]:
    """What is at the address."""
    front = seen.front
    if front is None or seen.connection is not None:
        return
    visit = seen.visited or front
    yield from _redirects(seen, front)
    if front.loops or front.stray:
        return
    if isinstance(visit.last, Failure):
        yield _failed(visit.last)
    elif (login := _login(visit)) is not None:
        yield login
    elif visit.last.status >= 400:
        yield _refused(seen, visit.last)
    elif again_of(visit.last) is None:
        yield from _content(seen, visit, visit.last)


def check_starts(seen: Examination) -> Iterator[Finding]:
    """Apps of which hotshoe says that they are starting: visitors see that, and wait."""
    visit = seen.visited or seen.front
    answers = [] if visit is None else [visit.last]
    answers += [mount.autoload.answer for mount in seen.mounts if mount.is_embedded and mount.autoload is not None]
    for answer in answers:
        if not isinstance(answer, Reply) or not answer.starting_s:
            continue
        where, took = answer.address.path, duration(answer.starting_s)
        if again_of(answer) is not None:
            yield problem("page.not-started", f"The app takes more than 10 s to start, and was still starting after "
                                              f"{took}: {where} says no more than that.",
                          "See what the app does before it has a document, and the server's log: it may wait for "
                          "something that does not answer. --timeout 300 waits for longer.", **facts_of(answer.address))
        else:
            yield warning("page.starting", f"The app takes more than 10 s to start: {where} said so, and the app was "
                                           f"there after {took}.",
                          "See what the app does before it has a document; move what is slow out of the way of the "
                          "page.", **facts_of(answer.address))


def _redirects(seen: Examination, visit: Visit) -> Iterator[Finding]:
    facts = facts_of(visit.last.address)
    steps = [exchange for exchange in visit.exchanges if isinstance(exchange, Reply) and exchange.is_redirect]
    if visit.loops:
        where = steps[-1].header("location") if steps else ""
        yield problem("page.redirect-loop", f"Redirects go round in a circle, at last to {where}.",
                      "Mostly the server does not know that the visitor came by https, or the proxy and the server "
                      "disagree on a slash or a prefix: pass X-Forwarded-Proto and the path as it is.", **facts)
    elif visit.stray:
        yield problem("page.redirect-stray", f"A redirect leads to {visit.stray}, which no browser follows.",
                      "Correct the redirect.", **facts)
    for before, after in zip(visit.exchanges, visit.exchanges[1:], strict=False):
        yield from _step(before, after, facts)
    if seen.wrong_prefix is not None:
        prefix = visit.asked.app_path
        yield problem("page.redirect-lost-prefix",
                      f"A redirect leads from {prefix}/ to {visit.last.address.path}, where there is nothing; the app "
                      f"is at {seen.wrong_prefix.path}: the prefix gets lost.",
                      f"Have the proxy pass the path on as it is, and start the server with --prefix {prefix}.",
                      **{**facts, "prefix": prefix + "/", "bare_prefix": prefix})


def _step(before: Exchange, after: Exchange, facts: dict[str, str]) -> Iterator[Finding]:
    here, there = before.address, after.address
    if is_inner(there.host) and not is_inner(here.host):
        yield problem("page.redirect-inner", f"A redirect leads to {there}, an address that visitors can't reach.",
                      "Pass the Host header on as it is, or have the proxy rewrite redirects.", **facts)
    elif here.is_secure and not there.is_secure:
        yield problem("page.redirect-insecure", f"A redirect leads from https to {there}.",
                      "Tell the server that visitors come by https: pass X-Forwarded-Proto, and start it with "
                      "--use-xheaders.", **facts)


def _failed(failure: Failure) -> Finding:
    what = f"{failure.address}: {failure.trouble.value}" + (f" ({failure.detail})" if failure.detail else "")
    match failure.trouble:
        case Trouble.TIMEOUT:
            return problem("page.timeout", f"{what}.", "See whether the app takes long to start, or the server hangs.",
                           **facts_of(failure.address))
        case Trouble.TOO_LARGE | Trouble.MALFORMED:
            return problem("page.malformed", f"{what}.", "This is not a web server that browsers understand.")
        case _:
            return problem("page.no-answer", f"{what}.", "See the log of the proxy and of the server.",
                           **facts_of(failure.address))


def _login(visit: Visit) -> Finding | None:
    last = visit.last
    if not isinstance(last, Reply) or visit.markup.tickets or visit.markup.embeds:
        return None
    led = len(visit.exchanges) > 1 and _LOGIN.search(str(last.address)) is not None
    if last.status not in (401, 407) and not (last.status < 400 and (visit.markup.has_password or led)):
        return None
    how = f"{last.status}" if last.status >= 400 else f"a page to log in at {last.address.path}"
    return problem("page.login", f"A login stands before the app: {how}. Nothing behind it could be looked at.",
                   "Log in with a browser and give its cookie with --cookie 'NAME=VALUE', or a header with --header "
                   "'Authorization: …'.")


def _refused(seen: Examination, page: Reply) -> Finding:
    facts = facts_of(page.address)
    if page.status in _TOO_LARGE:
        return problem("headers.too-large", f"The page's own request is refused as too large ({page.status}).",
                       "Raise the limit for request headers.", **facts)
    fallback = "client-error" if page.status < 500 else "server-error"
    name, words, change = _STATUSES.get(page.status, (fallback, "the request fails", "See the log of whoever answers."))
    if page.status == 404:
        prefix = facts["bare_prefix"]
        change += f", and start the server with --prefix {prefix}." if prefix else "."
    if page.status == 404 and seen.choices:
        change = "The index leads to a path that is not there: " + change
    return problem(f"page.{name}", f"{page.status} {page.reason} at {page.address.path}: {words}.", change, **facts)


def _content(seen: Examination, visit: Visit, page: Reply) -> Iterator[Finding]:
    facts = facts_of(page.address)
    if len(seen.choices) > 1:
        others = ", ".join(seen.choices[1:8])
        yield info("page.index", f"This is an index of {len(seen.choices)} apps; {page.address} was looked at.",
                   f"Give one of the others to look at that: {others}.")
    if page.is_cut:
        yield problem("page.cut", f"The page breaks off after {size(len(page.body))}.",
                      "See the proxy's log: its buffers or its disk may be full, or a timeout too short.", **facts)
    if page.media_type not in ("text/html", "application/xhtml+xml"):
        yield problem("page.type", f"The page's Content-Type is {page.media_type or 'missing'}; a browser shows or "
                                   "saves its text.", "Send text/html.", **facts)
    if not seen.mounts:
        cut = " (it breaks off)" if visit.markup.is_cut else ""
        yield problem("page.no-app", f"{page.status} at {page.address}, {size(len(page.body))}, and no Bokeh app on "
                                     f"it{cut}.",
                      "Give the address of an app or of a page that embeds one. If this should be one, something else "
                      "answers for it.", **facts)
        return
    for mount in seen.mounts:
        yield from _freshness(seen, mount)
    yield ok("page.ok", f"{page.status}, {_described(visit)}, {size(len(page.body))} in {duration(page.elapsed_s)}.")
    if page.elapsed_s > _SLOW_S and not page.starting_s:
        yield warning("page.slow", f"The page took {duration(page.elapsed_s)}.",
                      "See what the app does before it has a document; move it out of the way of the page.", **facts)


def _described(visit: Visit) -> str:
    markup = visit.markup
    count = len(markup.embeds)
    if not markup.tickets and count:
        return f"a page that embeds {count} app{'s' if count > 1 else ''}"
    return "an app" + (f" “{markup.title}”" if markup.title else "")


def _freshness(seen: Examination, mount: Mount) -> Iterator[Finding]:
    page = None if mount.visit is None else mount.visit.last
    if not isinstance(page, Reply) or mount.visit is None or (ticket := mount.visit.ticket) is None:
        return
    facts = facts_of(page.address)
    date_s = date_of(page)
    age = page.header("age").strip()[:9]
    same = mount.second is not None and mount.second.text == ticket.text
    if "bokeh-token" in page.address.query:
        same = False
    if same or (age.isdecimal() and int(age) > 0):
        how = "two visitors get the same token" if same else f"it is {age} s old"
        yield problem("page.cached", f"The page comes from a cache: {how}. Visitors share sessions, and get none when "
                                     "the token has expired.",
                      "Cache no pages of apps: they say Cache-Control: no-store, or should.", **facts)
    if date_s is None:
        return
    if not same and ticket.expires_at_s is not None and ticket.expires_at_s <= date_s:
        yield problem("page.token-expired", "The page's token had expired when the page came, by "
                                            f"{duration(date_s - ticket.expires_at_s)}.",
                      "The clock of the server that makes the pages is wrong, or a cache serves them: set the clocks "
                      "of all servers by NTP.", **facts)
    if abs(date_s - seen.now_s) > _SKEW_S and not age:
        yield warning("page.clock", "The clocks of the server and of this machine differ by "
                                    f"{duration(abs(date_s - seen.now_s))}.",
                      "Set both by NTP; if servers disagree, tokens expire too early.", **facts)


def date_of(reply: Reply) -> float | None:
    """Its ``Date`` as Unix time."""
    try:
        return parsedate_to_datetime(reply.header("date")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
