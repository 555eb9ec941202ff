"""What observations mean, where a real proxy can't easily be brought to it. Each row of the table has a case.
"""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from tests.support.cases import every_case

from hotshoe.doctor import Product
from hotshoe.doctor.checks import check
from hotshoe.doctor.findings import Finding, Severity, table
from hotshoe.doctor.markup import NOTHING, Markup, PageToken, read_markup
from hotshoe.doctor.observations import (
    Examination,
    Exchange,
    Fault,
    Mount,
    PageVisit,
    Resource,
    SocketClose,
    Talk,
    TlsHandshake,
    Trouble,
)
from hotshoe.doctor.probes import app_of, base_of
from hotshoe.doctor.remedies import remedy
from hotshoe.doctor.urls import Url

NOW = 1_800_000_000.0
APP = Url.typed("https://example.org/apps/sliders")
AT_ROOT = Url.typed("https://example.org/sliders")
HTTP = replace(APP, scheme="http", port=80)
INNER = Url.typed("http://10.0.0.7:5006/apps/sliders")
ELSEWHERE = Url.typed("https://www.org/")
HTML = (("Content-Type", "text/html"), ("Date", formatdate(NOW, usegmt=True)))
SCRIPT = (("Content-Type", "text/javascript"),)
TOKEN = PageToken("token", int(NOW) + 300)
MARKUP = replace(read_markup("<html><title>Sales</title></html>"), tokens=(TOKEN,))

Headers = tuple[tuple[str, str], ...]


def reply(address: Url = APP, status: int = 200, headers: Headers = HTML, body: bytes = b"") -> Exchange:
    return Exchange(address, status, "Reason", headers, body)


def failure(address: Url, trouble: Trouble, detail: str = "") -> Exchange:
    return Exchange(address, trouble=trouble, detail=detail)


def via(value: str) -> Exchange:
    return reply(headers=(("Via", value),))


def talk(**changes: Any) -> Talk:
    good = Talk(reply(APP.below("ws"), 101), is_websocket=True, subprotocol="bokeh",
                acknowledged=True, pulled=True, title="Sales")
    return replace(good, **changes)


def silent(close: SocketClose | None = None) -> Talk:
    return talk(acknowledged=False, pulled=False, close=close)


def refused(status: int, body: str = "", headers: Headers = ()) -> Talk:
    return Talk(reply(APP.below("ws"), status, headers, body.encode()))


def examination(mount: Mount | None = None, **changes: Any) -> Examination:
    visit = PageVisit((reply(),), MARKUP)
    good = Examination(APP, NOW, addresses=("192.0.2.1",), entry=visit, app_page=visit,
                       tls=TlsHandshake(APP, "TLSv1.3", ("example.org",)), mounts=(mount or app(),))
    return replace(good, **changes)


def app(**changes: Any) -> Mount:
    good = Mount(APP, APP, visit=PageVisit((reply(),), MARKUP), token=TOKEN, mark="mark",
                 resources=(script(reply(replace(APP, path="/static/js/bokeh.js"), headers=SCRIPT)),),
                 autoload=reply(headers=SCRIPT),
                 sizes=((0, reply()), (4000, reply()), (7500, reply())),
                 talk=talk(), others=(talk(title="mark"), talk(title="mark")))
    return replace(good, **changes)


def page(*exchanges: Exchange, markup: Markup = MARKUP, **changes: Any) -> Examination:
    """The page that these exchanges lead to, with an app if there is one in the markup."""
    visit = PageVisit(exchanges, markup)
    mounts = (app(visit=visit),) if markup.tokens else ()
    return examination(**{"entry": visit, "app_page": visit, "mounts": mounts, **changes})


def nothing(*exchanges: Exchange, **changes: Any) -> Examination:
    """These exchanges lead to no app."""
    return page(*exchanges, markup=NOTHING, **changes)


def led(*exchanges: Exchange, **changes: Any) -> Examination:
    """A redirect, and what came then."""
    visit = PageVisit((reply(status=302, headers=(("Location", "/x"),)), *exchanges), MARKUP, **changes)
    return examination(entry=visit)


def resources(*found: Resource, **changes: Any) -> Examination:
    return examination(app(resources=found, **changes))


def script(exchange: Exchange, is_own: bool = True, works_at: str = "") -> Resource:
    return Resource("script", exchange, is_own, works_at)


def embedded(answer: Exchange, preflight: Exchange | None = None, at: Url = ELSEWHERE, app: Url = APP) -> Examination:
    """A page at ``at`` embeds an app."""
    return examination(Mount(app, at, autoload=answer, preflight=preflight))


def cors(*allowed: str, preflight: Exchange | None = None) -> Examination:
    headers = (*SCRIPT, *(("Access-Control-Allow-Origin", origin) for origin in allowed))
    return embedded(reply(headers=headers), preflight)


def cookie(header: str, address: Url = APP) -> Examination:
    return page(reply(address, headers=(*HTML, ("Set-Cookie", header))))


def sizes(*statuses: int) -> Examination:
    padded = zip((4000, 7500, 15_000), (reply(status=status) for status in statuses), strict=False)
    return examination(app(sizes=((0, reply()), *padded)))


def socket(said: Talk, *others: Talk, replies: tuple[Exchange, ...] = (), **changes: Any) -> Examination:
    return examination(app(talk=said, others=others, **changes), replies=replies)


def tls(**changes: Any) -> Examination:
    return examination(tls=replace(TlsHandshake(APP, "TLSv1.3", ("example.org",)), **changes))


def door(status: int, to: str = "") -> Examination:
    return examination(plain_http=reply(HTTP, status, (("Location", to),) if to else ()))


CDN, FOREIGN = Url.typed("cdn.bokeh.org/a.js"), Url.typed("x.org/a.js")
STARTING = replace(reply(status=202, body=b'<main id="starting" data-again="?again"></main>'), starting_s=60.0)
LATE = reply(headers=(("Content-Type", "text/html"), ("Date", formatdate(NOW + 400, usegmt=True))))
LARGE = script(reply(headers=(*SCRIPT, ("Content-Length", "90000"))))
MOVED = script(reply(status=404), works_at="https://example.org/x")
NOTICE = b'{"elementid": "a", "error": "no", "flag": "b"}'
MIXED = replace(MARKUP, scripts=("http://example.org/a.js", "//example.org/b.js"))
BELOW = Url.typed("https://example.org/my/")

CASES: dict[str, Examination] = {
    "name.unknown": examination(addresses=(), connection=failure(APP, Trouble.NAME, "unknown")),
    "connection.refused": examination(connection=failure(APP, Trouble.REFUSED)),
    "connection.timeout": examination(connection=failure(APP, Trouble.UNANSWERED)),
    "connection.unreachable": examination(connection=failure(APP, Trouble.UNREACHABLE)),
    **{f"tls.{fault.value}": tls(fault=fault, detail="why") for fault in Fault},
    "tls.old": tls(version="TLSv1.1", expires_at_s=NOW + 1e8),
    "tls.expires-soon": tls(expires_at_s=NOW + 13 * 86_400),
    "tls.plain-http": tls(failure=failure(APP, Trouble.TLS), speaks_http=True),
    "tls.no-handshake": tls(failure=failure(APP, Trouble.RESET)),
    "redirect.ok": door(301, str(APP)),
    "redirect.missing": door(200),
    "redirect.missing/insecure": door(301, "http://example.org/apps/sliders"),
    "redirect.elsewhere": door(301, "https://www.example.org/apps/sliders"),
    "redirect.closed": examination(plain_http=failure(HTTP, Trouble.REFUSED)),
    "page.bad-request": nothing(reply(status=400)),
    "page.forbidden": nothing(reply(status=403)),
    "page.host-name": nothing(replace(reply(status=403), body=b"<h1>This server does not know that name.</h1>")),
    "page.not-found": nothing(reply(AT_ROOT, 404)),
    "page.not-found/prefix": nothing(reply(status=404)),
    "page.not-found/index": nothing(reply(status=404), choices=(str(APP),)),
    "page.limited": nothing(reply(status=429)),
    "page.client-error": nothing(reply(status=418)),
    "page.app-error": nothing(reply(status=500)),
    "page.bad-gateway": nothing(reply(status=502)),
    "page.unavailable": nothing(reply(status=503)),
    "page.gateway-timeout": nothing(reply(status=504)),
    "page.server-error": nothing(reply(status=521)),
    "page.timeout": nothing(failure(APP, Trouble.TIMEOUT)),
    "page.no-answer": nothing(failure(APP, Trouble.RESET)),
    "page.malformed": nothing(failure(APP, Trouble.TOO_LARGE, "why")),
    "page.redirect-loop": led(loops=True),
    "page.redirect-stray": led(stray="ftp://example.org"),
    "page.redirect-insecure": led(reply(HTTP)),
    "page.redirect-inner": led(reply(INNER)),
    "page.redirect-lost-prefix": examination(entry=PageVisit((reply(BELOW),)), wrong_prefix=BELOW.below("sliders")),
    "page.login": nothing(reply(status=401)),
    "page.no-app": nothing(reply()),
    "page.index": examination(choices=(str(APP), f"{APP}2")),
    "page.type": page(reply(headers=(("Content-Type", "text/plain"),))),
    "page.cut": page(replace(reply(), is_cut=True)),
    "page.slow": page(replace(reply(), elapsed_s=20.0)),
    "page.starting": page(replace(reply(), starting_s=12.0)),
    "page.not-started": nothing(STARTING),
    "page.mixed-content": page(reply(), markup=MIXED),
    "page.cached": examination(app(second_token=TOKEN)),
    "page.token-expired": examination(app(visit=PageVisit((LATE,), MARKUP)), now_s=NOW + 400),
    "page.clock": examination(now_s=NOW + 100),
    "resources.ok": resources(script(reply(headers=SCRIPT)), script(reply(headers=SCRIPT))),
    "resources.missing": resources(script(reply(status=404))),
    "resources.missing/bokeh": resources(script(reply(replace(APP, path="/apps/static/js/bokeh.js"), 404))),
    "resources.wrong-prefix": resources(MOVED),
    "resources.wrong-prefix/root": resources(MOVED, app=AT_ROOT),
    "resources.type": resources(script(reply(headers=SCRIPT, body=b"<html>"))),
    "resources.uncompressed": resources(LARGE, LARGE),
    "resources.uncompressed/one": resources(LARGE),
    "resources.cdn": resources(script(failure(CDN, Trouble.NAME), False)),
    "resources.foreign": resources(script(reply(FOREIGN, 500), False)),
    "embedding.ok": cors("*"),
    "embedding.ok/own": embedded(reply(headers=SCRIPT), at=AT_ROOT),
    "embedding.cors": cors(),
    "embedding.cors/several": cors("*", "*"),
    "embedding.cors/other": cors("https://other.org"),
    "embedding.preflight": cors("*", preflight=reply(status=403)),
    "embedding.preflight/refused": cors("*", preflight=reply()),
    "embedding.missing": embedded(reply(status=404)),
    "embedding.no-script": resources(script(reply(APP.below("embed.js"), 404))),
    "embedding.type": embedded(reply()),
    "embedding.login": embedded(reply(status=401)),
    "embedding.login/own": embedded(reply(status=401), at=AT_ROOT),
    "embedding.refused": embedded(reply(headers=SCRIPT, body=NOTICE)),
    "embedding.no-answer": embedded(failure(APP, Trouble.RESET)),
    "embedding.mixed-content": embedded(reply(), app=HTTP),
    "embedding.inner": embedded(reply(), at=Url.typed("http://www.org/"), app=INNER),
    "cookies.ok": cookie("a=b"),
    "cookies.insecure": cookie("a=b; Secure", HTTP),
    "cookies.samesite": cookie("a=b; SameSite=None"),
    "cookies.domain": cookie("a=b; Domain=other.org"),
    "cookies.path": cookie("a=b; Path=/elsewhere"),
    "cookies.prefix": cookie("__Host-a=b"),
    "cookies.lax": embedded(reply(headers=(*SCRIPT, ("Access-Control-Allow-Origin", "*"), ("Set-Cookie", "a=b")))),
    "headers.too-large": sizes(400),
    "headers.too-large/page": nothing(reply(status=431)),
    "headers.too-large/websocket": socket(refused(431)),
    "headers.small": sizes(200, 431),
    "headers.usual": sizes(200, 200, 400),
    "websocket.no-upgrade": socket(refused(400, 'Can "Upgrade" only to "WebSocket".')),
    "websocket.upgrade-required": socket(refused(426)),
    "websocket.origin": socket(refused(403, "Cross origin websockets not allowed")),
    "websocket.forbidden": socket(refused(403, "no")),
    "websocket.not-found": socket(refused(404)),
    "websocket.login": socket(refused(302, headers=(("Location", "/login?next=x"),))),
    "websocket.redirected": socket(refused(301, headers=(("Location", "/apps/sliders/ws/"),))),
    "websocket.bad-gateway": socket(refused(502)),
    "websocket.swallowed": socket(refused(200, "<html>")),
    "websocket.refused": socket(refused(400, "?")),
    "websocket.held": socket(replace(refused(0), exchange=failure(APP, Trouble.TIMEOUT))),
    "websocket.no-answer": socket(replace(refused(0), exchange=failure(APP, Trouble.RESET))),
    "websocket.bad-accept": socket(refused(101)),
    "websocket.subprotocol": socket(talk(subprotocol="", pulled=False, close=SocketClose(1000, "why"))),
    "websocket.token-expired": socket(silent(SocketClose(1005)), token=replace(TOKEN, expires_at_s=int(NOW) - 60)),
    "websocket.token-refused": socket(silent(SocketClose(1005))),
    "websocket.full": socket(silent(SocketClose(1013, "full"))),
    "websocket.closed": socket(silent(SocketClose(None))),
    "websocket.silent": socket(silent()),
    "websocket.no-document": socket(talk(pulled=False)),
    "websocket.app-error": socket(talk(pulled=False, error="KeyError()")),
    "websocket.slow": socket(talk(pull_s=9.0)),
    "idle.ok": socket(talk(watched_s=80.0, pings_s=(37.0, 74.0))),
    "idle.cut": socket(talk(watched_s=5.0, close=SocketClose(None, after_s=5.0))),
    "idle.cut/pinged": socket(talk(pings_s=(25.0,), close=SocketClose(None, after_s=60.0))),
    "idle.short": socket(talk(pings_s=(60.0, 120.0), watched_s=130.0), replies=(via("1.1 vegur"),)),
    "idle.short/always": examination(replies=(via("1.1 google"),)),
    "idle.quiet": socket(talk(watched_s=80.0)),
    "buffering.held": socket(talk(was_held=True)),
    "backends.refused": socket(talk(), talk(title="mark"), silent(SocketClose(1005))),
    "backends.uneven": socket(talk(), talk(title="mark"), refused(502)),
    "backends.no-affinity": socket(talk(), talk(title="mark"), talk(title="Sales")),
    **dict.fromkeys(("name.ok", "tls.ok", "page.ok", "resources.ok/one", "embedding.ok/alone", "headers.ok",
                     "websocket.ok", "idle.unwatched", "buffering.ok", "backends.ok"), examination()),
}
"""For each row of the table where it is found; nothing else is wrong there."""


def bad(seen: Examination) -> dict[str, str]:
    return {finding.id: finding.severity.value for finding in check(seen)
            if finding.severity in (Severity.WARNING, Severity.PROBLEM)}


def found(seen: Examination, finding: str) -> Finding:
    return next(each for each in check(seen) if each.id == finding)


def test_every_row() -> None:
    assert CASES.keys() == table().keys()
    with every_case() as case:
        for key, (severity, sentences) in table().items():
            with case(key):
                finding = found(CASES[key], key.partition("/")[0])
                assert finding.severity is severity
                for said, row in ((finding.seen, sentences.seen), (finding.change, sentences.change)):
                    assert re.fullmatch(".*?".join(map(re.escape, re.split(r"\{\w+\}", row))), said), said
                    assert not re.search(r"[{}]|(?<!=)None|YOUR-", said), said
                is_bad = severity in (Severity.WARNING, Severity.PROBLEM)
                assert bad(CASES[key]) == ({finding.id: severity.value} if is_bad else {})


def test_all_is_well() -> None:
    ids = [finding.id for finding in check(examination()) if finding.severity is Severity.OK]
    assert ids == ["name.ok", "tls.ok", "page.ok", "resources.ok", "embedding.ok", "headers.ok", "websocket.ok",
                   "buffering.ok", "backends.ok"]


def test_severities_that_depend() -> None:
    plain = (("Content-Type", "text/plain"),)
    strict = (*plain, ("X-Content-Type-Options", "nosniff"))
    lost = failure(Url.typed("cdn.bokeh.org/a.css"), Trouble.NAME)
    for resource, severity in (
        (script(reply(headers=plain)), "warning"), (script(reply(headers=strict)), "problem"),
        (Resource("style", reply(headers=plain), True), "problem"), (Resource("style", lost, False), "warning"),
    ):
        assert list(bad(resources(resource)).values()) == [severity]
    for key in ("embedding.login", "embedding.missing", "embedding.no-answer", "embedding.type"):
        [mount] = CASES[key].mounts
        assert mount.autoload is not None
        alone = examination(app(autoload=mount.autoload))
        assert found(alone, key).severity is Severity.INFO, "nobody embeds it"
    unverified = check(tls(fault=Fault.OWN_ROOT), insecure=True)
    assert [each.severity for each in unverified if each.id == "tls.unknown-root"] == [Severity.INFO]


@pytest.mark.parametrize(("said", "finding"), [
    (refused(400, "Request Header Or Cookie Too Large"), "headers.too-large"),
    (refused(401), "websocket.login"),
    (replace(refused(403), refusal="This server does not let pages of x connect."), "websocket.origin"),
    (refused(504), "websocket.bad-gateway"),
    (refused(500), "websocket.refused"),
    (talk(subprotocol=""), "websocket.subprotocol"),
])
def test_other_handshakes(said: Talk, finding: str) -> None:
    assert bad(socket(said)) == {finding: "problem"}


def test_caches_and_clocks() -> None:
    old = (*HTML, ("Age", "30"))
    assert "page.cached" in bad(examination(app(visit=PageVisit((reply(headers=old),), MARKUP))))
    behind = bad(examination(app(visit=PageVisit((LATE,), MARKUP))))
    assert behind == {"page.token-expired": "problem", "page.clock": "warning"}


def test_a_missing_file_is_asked_for_where_it_is() -> None:
    def of(path: str) -> Resource:
        return Resource("script", reply(replace(APP, path=path), 404), True)

    paths = ("/apps/_hotshoe/page.js", "/apps/static/js/bokeh.js", "/apps/sliders/static/own.js", "/apps/a.js")
    findings = [each for each in check(examination(app(resources=tuple(map(of, paths))))) if each.change]
    lost = [each for each in findings if each.id == "resources.missing"]
    assert [each.facts["folder"] for each in lost] == ["/apps/_hotshoe/", "/apps/static/", "/apps/sliders/static/",
                                                       "/apps/"]
    assert ["bokeh's files" in each.change for each in lost] == [False, True, False, False]


@pytest.mark.parametrize(("host", "finding", "words"), [
    ("cdn.bokeh.org", "resources.cdn", "BOKEH_RESOURCES=server"),
    ("inner.example", "resources.foreign", "bokeh-absolute-url"),
])
def test_files_of_other_hosts(host: str, finding: str, words: str) -> None:
    there = replace(APP, host=host, path="/static/js/bokeh.js")
    gone = Resource("script", reply(there, 404), False)
    away = Resource("script", failure(there, Trouble.NAME), False)
    assert "404" in found(examination(app(resources=(gone,))), finding).seen
    lost = found(examination(app(resources=(away,))), finding)
    assert "the name has no address" in lost.seen
    assert words in lost.change


def test_how_many_files() -> None:
    js, css = (("Content-Type", "text/javascript"),), (("Content-Type", "text/css"),)
    one, two = Resource("script", reply(headers=js), True), Resource("style", reply(headers=css), True)

    def said(*resources: Resource) -> str:
        return found(examination(app(resources=resources)), "resources.ok").seen

    assert said(one) == "The only script loads."
    assert said(two) == "The only style sheet loads."
    assert said(one, two) == "All 2 scripts and style sheets load."
    large = Resource("script", reply(headers=(*js, ("Content-Length", "90000"))), True)
    assert "/apps/sliders, 90 KB, is not" in found(examination(app(resources=(large,))), "resources.uncompressed").seen


def test_no_prefix_is_none_to_tell_a_server_of() -> None:
    at_root = found(CASES["resources.wrong-prefix/root"], "resources.wrong-prefix")
    assert remedy(at_root.id, Product.HOTSHOE, at_root.facts) is None


@pytest.mark.parametrize("text", [
    '<script src="http://[bad/autoload.js?a=1"></script>', '<bokeh-app src="//[bad"></bokeh-app>',
    '<base href="//[bad"><script src="a.js"></script>', '<script src="//[bad/a.js"></script>',
])
def test_addresses_that_are_none(text: str) -> None:
    page = PageVisit((reply(),), read_markup(text))
    assert bad(examination(app_page=page)) == {}
    assert base_of(APP, page.markup) == APP
    assert all(app_of(embed, page) is None for embed in page.markup.embeds)


def test_an_embedded_app_that_only_the_server_reaches() -> None:
    inner, page = Url.typed("http://127.0.0.1:5006/sliders"), Url.typed("http://www.org/")
    answer = reply(headers=(("Content-Type", "application/javascript"), ("Access-Control-Allow-Origin", "*")))
    mount = Mount(inner, page, autoload=answer)
    assert bad(examination(mounts=(mount,))) == {"embedding.inner": "problem"}
    assert bad(examination(mounts=(mount,), asked=inner)) == {}, "with --from, on the machine itself"


def test_a_large_token_that_gets_through_is_no_problem() -> None:
    large = replace(TOKEN, text="x" * 5000)
    sizes = ((0, reply()), (4000, reply()), (7500, reply(status=431)))
    assert bad(examination(app(token=large, sizes=sizes))) == {"headers.small": "warning"}
    refused = talk(exchange=reply(status=431), is_websocket=False)
    assert bad(examination(app(token=large, sizes=sizes, talk=refused, others=())))["headers.too-large"] == "problem"


def test_sizes_are_those_of_the_first_app_that_was_asked() -> None:
    asked = app(sizes=((0, reply()), (4000, reply()), (7500, reply(status=431))))
    assert bad(examination(mounts=(app(sizes=()), asked, asked))) == {"headers.small": "warning"}


def test_idle() -> None:
    assert found(examination(app(talk=talk(watched_s=80.0, pings_s=(37.0, 74.0)))), "idle.ok").seen.startswith(
        "The server pings every 37 s")


@pytest.mark.parametrize(("is_hotshoe", "pings"), [(True, "every 25 s"), (False, "every 37 s")])
def test_how_often_servers_ping(is_hotshoe: bool, pings: str) -> None:
    visit = PageVisit((reply(),), replace(MARKUP, is_hotshoe=is_hotshoe))
    assert pings in found(examination(app(visit=visit)), "idle.unwatched").seen
    script = reply(headers=(("Content-Type", "text/javascript"),), body=b"/_hotshoe/page.js" if is_hotshoe else b"")
    assert pings in found(examination(app(visit=None, autoload=script)), "idle.unwatched").seen


@pytest.mark.parametrize(("after_s", "pull_s", "keep_alive"), [
    (0.5, 0.1, "1000"), (2.0, 0.1, "1000"), (5.0, 0.1, "2000"), (20.0, 0.5, "9000"), (30.0, 0.1, "10000"),
    (60.0, 0.1, "25000"), (60.0, 30.0, "15000"), (100.5, 0.1, "50000"),
])
def test_how_often_to_ping(after_s: float, pull_s: float, keep_alive: str) -> None:
    cut = found(examination(app(talk=talk(pull_s=pull_s, close=SocketClose(None, after_s=after_s)))), "idle.cut")
    assert cut.facts["keep_alive"] == keep_alive
    assert f"--keep-alive {keep_alive} " in cut.change
    assert "37 s by default" in cut.change


@pytest.mark.parametrize(("pings_s", "words"), [((25.0,), "a ping came before"), ((25.0, 50.0), "pings came every 25")])
def test_cut_though_pings_came(pings_s: tuple[float, ...], words: str) -> None:
    cut = found(examination(app(talk=talk(pings_s=pings_s, close=SocketClose(None, after_s=60.0)))), "idle.cut")
    assert words in cut.seen
    assert "keep-alive" not in cut.change
    assert "by default" not in cut.change
    assert "keep_alive" not in cut.facts


def test_platforms_that_cut_early() -> None:
    azure, google, heroku = (reply(headers=(*HTML, header)) for header in (
        ("Server", "Microsoft-Azure-Application-Gateway/v2"), ("Via", "1.1 google"), ("Via", "1.1 vegur")))
    often, seldom = talk(pings_s=(25.0, 50.0), watched_s=60.0), talk(pings_s=(60.0, 120.0), watched_s=130.0)
    assert bad(examination(app(talk=seldom), replies=(azure,))) == {}
    assert bad(examination(app(talk=often), replies=(heroku,))) == {}
    assert found(examination(app(talk=seldom), replies=(heroku,)), "idle.short").facts["keep_alive"] == "25000"
    assert "keep_alive" not in found(examination(app(talk=often), replies=(google,)), "idle.short").facts


def test_an_app_that_changes_its_title() -> None:
    assert bad(examination(app(others=(talk(title="12:00:01"),)))) == {}
