"""What observations mean, where a real proxy can't easily be brought to it."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from hotshoe.doctor import Kind
from hotshoe.doctor.addresses import Address
from hotshoe.doctor.checks import check
from hotshoe.doctor.findings import Finding, Severity
from hotshoe.doctor.markup import read_markup
from hotshoe.doctor.observations import (
    Autoload,
    Close,
    Examination,
    Exchange,
    Failure,
    Mount,
    Name,
    Reply,
    Resource,
    Sizes,
    Talk,
    Tls,
    Trouble,
    Visit,
)
from hotshoe.doctor.paths import app_of, base_of
from hotshoe.doctor.remedies import remedy
from hotshoe.doctor.tokens import Ticket

NOW = 1_800_000_000.0
APP = Address.typed("https://example.org/apps/sliders")
HTML = (("Content-Type", "text/html"), ("Date", formatdate(NOW, usegmt=True)))
TICKET = Ticket("token", "a" * 44, int(NOW) + 300, True)
MARKUP = replace(read_markup("<html><title>Sales</title></html>"), tickets=(TICKET,))


def reply(address: Address = APP, status: int = 200, headers: tuple[tuple[str, str], ...] = HTML,
          body: bytes = b"") -> Reply:
    return Reply(address, status, "", headers, body)


def talk(**changes: Any) -> Talk:
    good = Talk(APP.below("ws"), APP.origin, reply(APP.below("ws"), 101), is_websocket=True, subprotocol="bokeh",
                acknowledged=True, pulled=True, title="Sales")
    return replace(good, **changes)


def examination(mount: Mount | None = None, **changes: Any) -> Examination:
    visit = Visit(APP, (reply(),), MARKUP)
    good = Examination(APP, NOW, name=Name("example.org", ("192.0.2.1",)), tls=Tls(APP, "TLSv1.3", ("example.org",)),
                       front=visit, visited=visit, mounts=(mount or app(),))
    return replace(good, **changes)


def app(**changes: Any) -> Mount:
    script = replace(APP, path="/static/js/bokeh.js")
    good = Mount(APP, APP, visit=Visit(APP, (reply(),), MARKUP), ticket=TICKET, mark="mark",
                 resources=(Resource("script", reply(script, headers=(("Content-Type", "text/javascript"),)), True),),
                 autoload=Autoload("", reply(headers=(("Content-Type", "text/javascript"),))),
                 sizes=Sizes(reply(), ((4000, reply()), (7500, reply()))),
                 talk=talk(), others=(talk(title="mark"), talk(title="mark")))
    return replace(good, **changes)


def bad(seen: Examination) -> dict[str, str]:
    return {finding.id: finding.severity.value for finding in check(seen)
            if finding.severity in (Severity.WARNING, Severity.PROBLEM)}


def found(seen: Examination, finding: str) -> Finding:
    return next(each for each in check(seen) if each.id == finding)


def test_all_is_well() -> None:
    assert bad(examination()) == {}
    ids = [finding.id for finding in check(examination()) if finding.severity is Severity.OK]
    assert ids == ["name.ok", "tls.ok", "page.ok", "resources.ok", "embedding.ok", "headers.ok", "websocket.ok",
                   "buffering.ok", "backends.ok"]


@pytest.mark.parametrize(("changes", "finding", "severity"), [
    ({"name": Name("example.org", error="no such name")}, "name.unknown", "problem"),
    ({"connection": Failure(APP, Trouble.REFUSED)}, "connection.refused", "problem"),
    ({"connection": Failure(APP, Trouble.UNANSWERED)}, "connection.timeout", "problem"),
    ({"connection": Failure(APP, Trouble.UNREACHABLE)}, "connection.unreachable", "problem"),
    ({"tls": Tls(APP, "TLSv1.1", expires_at_s=NOW + 1e8)}, "tls.old", "problem"),
    ({"tls": Tls(APP, "TLSv1.3", expires_at_s=NOW + 13 * 86_400)}, "tls.expires-soon", "warning"),
    ({"tls": Tls(APP, failure=Failure(APP, Trouble.RESET))}, "tls.no-handshake", "problem"),
    ({"door": reply(status=301, headers=(("Location", "https://www.example.org/apps/sliders"),))},
     "redirect.elsewhere", "warning"),
    ({"door": reply(status=301, headers=(("Location", "http://example.org/apps/sliders"),))},
     "redirect.missing", "warning"),
])
def test_on_the_way_to_the_page(changes: dict[str, Any], finding: str, severity: str) -> None:
    assert bad(examination(**changes))[finding] == severity


@pytest.mark.parametrize(("exchange", "finding"), [
    (Failure(APP, Trouble.TIMEOUT), "page.timeout"),
    (Failure(APP, Trouble.RESET), "page.no-answer"),
    (Failure(APP, Trouble.TOO_LARGE), "page.malformed"),
    (reply(status=400), "page.bad-request"),
    (reply(status=403), "page.forbidden"),
    (reply(status=418), "page.client-error"),
    (reply(status=429), "page.limited"),
    (reply(status=431), "headers.too-large"),
    (reply(status=500), "page.app-error"),
    (reply(status=504), "page.gateway-timeout"),
    (reply(status=521), "page.server-error"),
    (reply(headers=(("Content-Type", "text/plain"),)), "page.type"),
    (replace(reply(), is_cut=True), "page.cut"),
    (replace(reply(), elapsed_s=20.0), "page.slow"),
])
def test_pages(exchange: Exchange, finding: str) -> None:
    visit = Visit(APP, (exchange,), MARKUP if finding in ("page.type", "page.cut", "page.slow") else read_markup(""))
    mounts = (app(visit=visit),) if visit.markup.tickets else ()
    assert finding in bad(examination(front=visit, visited=visit, mounts=mounts))


def test_redirects() -> None:
    inner = replace(APP, scheme="http", host="10.0.0.7", port=5006)
    visit = Visit(APP, (reply(status=302, headers=(("Location", str(inner)),)), Failure(inner, Trouble.UNANSWERED)))
    assert "page.redirect-inner" in bad(examination(front=visit, visited=visit, mounts=()))


def test_caches_and_clocks() -> None:
    old = (*HTML, ("Age", "30"))
    assert "page.cached" in bad(examination(app(visit=Visit(APP, (reply(headers=old),), MARKUP))))
    assert "page.cached" in bad(examination(app(second=TICKET)))
    late = (("Content-Type", "text/html"), ("Date", formatdate(NOW + 400, usegmt=True)))
    behind = bad(examination(app(visit=Visit(APP, (reply(headers=late),), MARKUP))))
    assert behind == {"page.token-expired": "problem", "page.clock": "warning"}


@pytest.mark.parametrize(("resource", "finding", "severity"), [
    (Resource("script", reply(status=404), True), "resources.missing", "problem"),
    (Resource("script", reply(status=404), True, "https://example.org/x"), "resources.wrong-prefix", "problem"),
    (Resource("script", Failure(Address.typed("cdn.bokeh.org/a.js"), Trouble.NAME), False), "resources.cdn", "problem"),
    (Resource("style", Failure(Address.typed("cdn.bokeh.org/a.css"), Trouble.NAME), False), "resources.cdn", "warning"),
    (Resource("script", reply(Address.typed("x.org/a.js"), 500), False), "resources.foreign", "problem"),
    (Resource("script", reply(headers=(("Content-Type", "text/plain"),)), True), "resources.type", "warning"),
    (Resource("script", reply(headers=(("Content-Type", "text/plain"), ("X-Content-Type-Options", "nosniff"))), True),
     "resources.type", "problem"),
    (Resource("script", reply(headers=(("Content-Type", "text/javascript"),), body=b"<html>"), True),
     "resources.type", "problem"),
    (Resource("style", reply(headers=(("Content-Type", "text/plain"),)), True), "resources.type", "problem"),
    (Resource("script", reply(headers=(("Content-Type", "text/javascript"), ("Content-Length", "900000"))), True),
     "resources.uncompressed", "warning"),
])
def test_resources(resource: Resource, finding: str, severity: str) -> None:
    assert bad(examination(app(resources=(resource,)))) == {finding: severity}


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
    gone, away = (Resource("script", exchange, False) for exchange in (reply(there, 404), Failure(there, Trouble.NAME)))
    assert "404" in found(examination(app(resources=(gone,))), finding).seen
    lost = found(examination(app(resources=(away,))), finding)
    assert "the name is not known" in lost.seen
    assert words in lost.change


def test_how_many_files() -> None:
    js, css = (("Content-Type", "text/javascript"),), (("Content-Type", "text/css"),)
    one, two = Resource("script", reply(headers=js), True), Resource("style", reply(headers=css), True)

    def said(*resources: Resource) -> str:
        return found(examination(app(resources=resources)), "resources.ok").seen

    assert said(one) == "The one script comes."
    assert said(two) == "The one style sheet comes."
    assert said(one, two) == "All 2 scripts and style sheets come."
    large = Resource("script", reply(headers=(*js, ("Content-Length", "90000"))), True)
    assert "/apps/sliders, 90 KB, is not" in found(examination(app(resources=(large,))), "resources.uncompressed").seen


def test_the_prefix_that_is_meant() -> None:
    def missing(url: str) -> Finding:
        visit = Visit(Address.typed(url), (reply(Address.typed(url), 404),))
        return found(examination(front=visit, visited=visit, mounts=()), "page.not-found")

    assert missing("https://example.org/apps/sliders").change.endswith("--prefix /apps.")
    assert "--prefix" not in missing("https://example.org/sliders").change
    moved = Resource("script", reply(status=404), True, "https://example.org/x")
    assert found(examination(app(resources=(moved,))), "resources.wrong-prefix").change.endswith("--prefix /apps.")
    at_root = found(examination(app(app=Address.typed("https://example.org/sliders"), resources=(moved,))),
                    "resources.wrong-prefix")
    assert "without --prefix" in at_root.change
    assert remedy(at_root.id, Kind.HOTSHOE, at_root.facts) is None


@pytest.mark.parametrize(("origin", "has_credentials"), [("", False), ("https://www.org", True)])
def test_an_embed_that_needs_a_login(origin: str, has_credentials: bool) -> None:
    page = Address.typed(origin or f"{APP.origin}/shop")
    mount = Mount(APP, page, autoload=Autoload(origin, reply(status=401)))
    change = found(examination(mounts=(mount,)), "embedding.login").change
    assert ("with-credentials" in change) is has_credentials
    assert "--cookie" in change


def test_mixed_content() -> None:
    markup = replace(MARKUP, scripts=("http://example.org/a.js", "//example.org/b.js"))
    assert bad(examination(visited=Visit(APP, (reply(),), markup))) == {"page.mixed-content": "problem"}


@pytest.mark.parametrize("text", [
    '<script src="http://[bad/autoload.js?a=1"></script>', '<bokeh-app src="//[bad"></bokeh-app>',
    '<base href="//[bad"><script src="a.js"></script>', '<script src="//[bad/a.js"></script>',
])
def test_addresses_that_are_none(text: str) -> None:
    page = Visit(APP, (reply(),), read_markup(text))
    assert bad(examination(visited=page)) == {}
    assert base_of(APP, page.markup) == str(APP)
    assert all(app_of(embed, page) is None for embed in page.markup.embeds)


@pytest.mark.parametrize(("headers", "finding"), [
    ((), "embedding.cors"),
    ((("Access-Control-Allow-Origin", "https://other.org"),), "embedding.cors"),
    ((("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Origin", "*")), "embedding.cors"),
    ((("Access-Control-Allow-Origin", "*"),), None),
    ((("Access-Control-Allow-Origin", "https://www.org"),), None),
])
def test_cors(headers: tuple[tuple[str, str], ...], finding: str | None) -> None:
    answer = reply(headers=(("Content-Type", "application/javascript"), *headers))
    star = reply(headers=(("Access-Control-Allow-Origin", "*"),))
    mount = Mount(APP, Address.typed("https://www.org/"), autoload=Autoload("https://www.org", answer, star))
    assert bad(examination(mounts=(mount,))) == ({} if finding is None else {finding: "problem"})


def test_an_embedded_app_that_only_the_server_reaches() -> None:
    inner, page = Address.typed("http://127.0.0.1:5006/sliders"), Address.typed("http://www.org/")
    answer = reply(headers=(("Content-Type", "application/javascript"), ("Access-Control-Allow-Origin", "*")))
    mount = Mount(inner, page, autoload=Autoload(page.origin, answer))
    assert bad(examination(mounts=(mount,))) == {"embedding.inner": "problem"}
    assert bad(examination(mounts=(mount,), asked=inner)) == {}, "with --from, on the machine itself"


def test_a_large_token_that_gets_through_is_no_problem() -> None:
    large = replace(TICKET, text="x" * 5000)
    sizes = Sizes(reply(), ((4000, reply()), (7500, reply(status=431))))
    assert bad(examination(app(ticket=large, sizes=sizes))) == {"headers.small": "warning"}
    refused = talk(exchange=reply(status=431), is_websocket=False)
    assert bad(examination(app(ticket=large, sizes=sizes, talk=refused, others=())))["headers.too-large"] == "problem"


@pytest.mark.parametrize(("answer", "finding"), [
    (Failure(APP, Trouble.RESET), "embedding.no-answer"),
    (reply(status=404), "embedding.missing"),
    (reply(status=401), "embedding.login"),
    (reply(), "embedding.type"),
])
def test_autoload(answer: Exchange, finding: str) -> None:
    elsewhere = Mount(APP, Address.typed("https://www.org/"), autoload=Autoload("https://www.org", answer))
    assert bad(examination(mounts=(elsewhere,))) == {finding: "problem"}
    assert bad(examination(app(autoload=Autoload("", answer)))) == {}, "nobody embeds it"


@pytest.mark.parametrize(("sizes", "finding"), [
    ([(4000, 400)], "headers.too-large"),
    ([(4000, 200), (7500, 431)], "headers.small"),
    ([(4000, 200), (7500, 200), (15_000, 400)], None),
])
def test_sizes(sizes: list[tuple[int, int]], finding: str | None) -> None:
    padded = tuple((size, reply(status=status)) for size, status in sizes)
    result = bad(examination(app(sizes=Sizes(reply(), padded))))
    assert list(result) == ([] if finding is None else [finding])


def refused(status: int, body: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Talk:
    return Talk(APP.below("ws"), APP.origin, reply(APP.below("ws"), status, headers, body.encode()))


@pytest.mark.parametrize(("said", "finding"), [
    (refused(400, 'Can "Upgrade" only to "WebSocket".'), "no-upgrade"),
    (refused(400, "Request Header Or Cookie Too Large"), "headers.too-large"),
    (refused(400, "?"), "refused"),
    (refused(401), "login"),
    (refused(302, headers=(("Location", "/login?next=x"),)), "login"),
    (refused(301, headers=(("Location", "/apps/sliders/ws/"),)), "redirected"),
    (refused(403, "Cross origin websockets not allowed"), "origin"),
    (replace(refused(403), refusal="This server does not let pages of x connect."), "origin"),
    (refused(403, "no"), "forbidden"),
    (refused(404), "not-found"),
    (refused(426), "upgrade-required"),
    (refused(431), "headers.too-large"),
    (refused(502), "bad-gateway"),
    (refused(504), "bad-gateway"),
    (refused(200, "<html>"), "swallowed"),
    (refused(500), "refused"),
    (refused(101), "bad-accept"),
    (replace(refused(0), exchange=Failure(APP, Trouble.TIMEOUT)), "held"),
    (replace(refused(0), exchange=Failure(APP, Trouble.RESET)), "no-answer"),
    (talk(subprotocol=""), "subprotocol"),
    (talk(acknowledged=False, pulled=False), "silent"),
    (talk(acknowledged=False, pulled=False, close=Close(1005)), "token-refused"),
    (talk(acknowledged=False, pulled=False, close=Close(1013, "full")), "full"),
    (talk(acknowledged=False, pulled=False, close=Close(None)), "closed"),
    (talk(pulled=False), "no-document"),
    (talk(pulled=False, error="KeyError()"), "app-error"),
    (talk(pull_s=9.0), "slow"),
])
def test_websockets(said: Talk, finding: str) -> None:
    result = bad(examination(app(talk=said, others=())))
    assert list(result) == [finding if "." in finding else f"websocket.{finding}"]


def test_an_expired_token() -> None:
    said = talk(acknowledged=False, pulled=False, close=Close(1005))
    mount = app(talk=said, others=(), ticket=replace(TICKET, expires_at_s=int(NOW) - 60))
    assert "websocket.token-expired" in bad(examination(mount))


def test_idle() -> None:
    assert found(examination(app(talk=talk(watched_s=80.0, pings_s=(37.0, 74.0)))), "idle.ok").seen.startswith(
        "The server pings every 37 s")


@pytest.mark.parametrize(("is_hotshoe", "pings"), [(True, "every 25 s"), (False, "every 37 s")])
def test_how_often_servers_ping(is_hotshoe: bool, pings: str) -> None:
    visit = Visit(APP, (reply(),), replace(MARKUP, is_hotshoe=is_hotshoe))
    assert pings in found(examination(app(visit=visit)), "idle.unwatched").seen
    script = reply(headers=(("Content-Type", "text/javascript"),), body=b"/_hotshoe/page.js" if is_hotshoe else b"")
    assert pings in found(examination(app(visit=None, autoload=Autoload("", script))), "idle.unwatched").seen
    cut = examination(app(talk=talk(watched_s=5.0, close=Close(None, after_s=5.0))))
    assert bad(cut) == {"idle.cut": "problem"}
    google = examination(app(again=reply(headers=(*HTML, ("Via", "1.1 google")))))
    assert bad(google) == {"idle.short": "warning"}


@pytest.mark.parametrize(("after_s", "pull_s", "keep_alive"), [
    (0.5, 0.1, "1000"), (2.0, 0.1, "1000"), (5.0, 0.1, "2000"), (20.0, 0.5, "9000"), (30.0, 0.1, "10000"),
    (60.0, 0.1, "25000"), (60.0, 30.0, "15000"), (100.5, 0.1, "50000"),
])
def test_how_often_to_ping(after_s: float, pull_s: float, keep_alive: str) -> None:
    cut = found(examination(app(talk=talk(pull_s=pull_s, close=Close(None, after_s=after_s)))), "idle.cut")
    assert cut.facts["keep_alive"] == keep_alive
    assert f"--keep-alive {keep_alive} " in cut.change
    assert "every 37 s by default" in cut.change


@pytest.mark.parametrize(("pings_s", "words"), [((25.0,), "a ping came before"), ((25.0, 50.0), "pings came every 25")])
def test_cut_though_pings_came(pings_s: tuple[float, ...], words: str) -> None:
    cut = found(examination(app(talk=talk(pings_s=pings_s, close=Close(None, after_s=60.0)))), "idle.cut")
    assert words in cut.seen
    assert "keep-alive" not in cut.change
    assert "by default" not in cut.change
    assert "keep_alive" not in cut.facts


def test_platforms_that_cut_early() -> None:
    azure, google, heroku = (reply(headers=(*HTML, header)) for header in (
        ("Server", "Microsoft-Azure-Application-Gateway/v2"), ("Via", "1.1 google"), ("Via", "1.1 vegur")))
    often, seldom = talk(pings_s=(25.0, 50.0), watched_s=60.0), talk(pings_s=(60.0, 120.0), watched_s=130.0)
    assert bad(examination(app(again=azure, talk=seldom))) == {}
    assert bad(examination(app(again=heroku, talk=often))) == {}
    assert found(examination(app(again=heroku, talk=seldom)), "idle.short").facts["keep_alive"] == "25000"
    assert "keep_alive" not in found(examination(app(again=google, talk=often)), "idle.short").facts


def test_what_is_held_back() -> None:
    assert bad(examination(app(talk=talk(was_held=True)))) == {"buffering.held": "problem"}


@pytest.mark.parametrize(("other", "finding", "severity"), [
    (talk(title="Sales"), "backends.no-affinity", "warning"),
    (talk(acknowledged=False, pulled=False, close=Close(1005)), "backends.refused", "problem"),
    (refused(502), "backends.uneven", "problem"),
])
def test_backends(other: Talk, finding: str, severity: str) -> None:
    assert bad(examination(app(others=(talk(title="mark"), other)))) == {finding: severity}


def test_an_app_that_changes_its_title() -> None:
    assert bad(examination(app(others=(talk(title="12:00:01"),)))) == {}
