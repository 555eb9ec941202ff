"""Paths in, routes out."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from hotshoe.hosts.host import AppInfo
from hotshoe.web.routes import Kind, Routes, source_path, thumbnail_path

NAMES = ["/sliders", "/my app", "/deep/er", "/static"]


def routes(*urls: str, prefix: str = "") -> Routes:
    return Routes({url: AppInfo(url, url) for url in urls or NAMES}, prefix)


@pytest.mark.parametrize(("path", "kind", "app", "rest"), [
    ("/sliders", Kind.PAGE, "/sliders", ""),
    ("/sliders/", Kind.PAGE, "/sliders", ""),
    ("/sliders//", Kind.PAGE, "/sliders", ""),
    ("/my app/ws", Kind.SOCKET, "/my app", ""),
    ("/sliders/ws/", Kind.SOCKET, "/sliders", ""),
    ("/deep/er/metadata", Kind.METADATA, "/deep/er", ""),
    ("/sliders/autoload.js", Kind.AUTOLOAD, "/sliders", ""),
    ("/sliders/static/a/b.css", Kind.APP_STATIC, "/sliders", "a/b.css"),
    ("/deep/er/static/static/x", Kind.APP_STATIC, "/deep/er", "static/x"),
    ("/static/static/x", Kind.APP_STATIC, "/static", "x"),
    ("/static/js/bokeh.min.js", Kind.STATIC, None, "js/bokeh.min.js"),
    ("/static/extensions/panel/panel.js", Kind.EXTENSION, None, "panel/panel.js"),
    ("/components/a.b/C/css/d/e.css", Kind.COMPONENT, None, "a.b/C/css/d/e.css"),
    ("/sliders/components/a/C/css/e.css", Kind.COMPONENT, "/sliders", "a/C/css/e.css"),
    ("/other/components/a/C/css/e.css", Kind.NOTHING, None, ""),
    ("/components/a/C/css", Kind.NOTHING, None, ""),
    ("/static/components/a/C/css/e.css", Kind.STATIC, None, "components/a/C/css/e.css"),
    ("/_hotshoe/page.js", Kind.ASSET, None, "page.js"),
    ("/_hotshoe/health", Kind.HEALTH, None, ""),
    ("/_hotshoe/health/", Kind.HEALTH, None, ""),
    ("/_hotshoe/health/alive", Kind.HEALTH, None, "alive"),
    ("/_hotshoe/health/other", Kind.ASSET, None, "health/other"),
    ("/_hotshoe/healthy", Kind.ASSET, None, "healthy"),
    ("/sliders//_hotshoe/page.js", Kind.ASSET, "/sliders", "page.js"),
    ("/sliders//ws", Kind.SOCKET, "/sliders", ""),
    ("/sliders//autoload.js", Kind.AUTOLOAD, "/sliders", ""),
    ("/sliders//static/x.css", Kind.APP_STATIC, "/sliders", "x.css"),
    ("/sliders//embed.js", Kind.ASSET, None, "embed.js"),
    ("/sliders/_hotshoe/page.js", Kind.ASSET, "/sliders", "page.js"),
    ("/deep/er/_hotshoe/models/x.js", Kind.ASSET, "/deep/er", "models/x.js"),
    ("/sliders/_hotshoe/source/my app", Kind.ASSET, "/sliders", "source/my app"),
    ("/sliders/more/_hotshoe/page.js", Kind.NOTHING, None, ""),
    ("/sliders/embed.js", Kind.ASSET, None, "embed.js"),
    ("/nothing/embed.js", Kind.ASSET, None, "embed.js"),
    ("/embed.js", Kind.ASSET, None, "embed.js"),
    ("/nothing/autoload.js", Kind.AUTOLOAD, None, ""),
    ("/sliders/static/embed.js", Kind.APP_STATIC, "/sliders", "embed.js"),
    ("/static/embed.js", Kind.STATIC, None, "embed.js"),
    ("/_hotshoe/thumbnails/deep/er", Kind.THUMBNAIL, "/deep/er", ""),
    ("/_hotshoe/thumbnails/other", Kind.THUMBNAIL, None, ""),
    ("/_hotshoe/source/my app/", Kind.SOURCE, "/my app", ""),
    ("/_hotshoe/source", Kind.SOURCE, None, ""),
    ("/_hotshoe/sources", Kind.ASSET, None, "sources"),
    ("/favicon.ico", Kind.FAVICON, None, ""),
    ("/", Kind.INDEX, None, ""),
    ("", Kind.INDEX, None, ""),
    ("/sliders/nothing", Kind.NOTHING, None, ""),
    ("/slider", Kind.NOTHING, None, ""),
    ("/sliders/ws/ws", Kind.NOTHING, None, ""),
    ("//sliders", Kind.NOTHING, None, ""),
    ("/ws", Kind.NOTHING, None, ""),
])
def test_resolve(path: str, kind: Kind, app: str | None, rest: str) -> None:
    for prefix in ("", "/p", "/p/q"):
        route = routes(prefix=prefix).resolve(prefix + path)
        assert (route.kind, route.app and route.app.url, route.rest) == (kind, app, rest)


@pytest.mark.parametrize(("path", "kind", "app", "rest"), [
    ("/sliders", Kind.PAGE, "/sliders", ""),
    ("/sliders/", Kind.PAGE, "/sliders", ""),
    ("/sliders/ws", Kind.SOCKET, "/sliders", ""),
    ("/sliders/autoload.js", Kind.AUTOLOAD, "/sliders", ""),
    ("/sliders/embed.js", Kind.ASSET, None, "embed.js"),
    ("/sliders/static/x.css", Kind.APP_STATIC, "/sliders", "x.css"),
    ("/_hotshoe/embed.js", Kind.ASSET, None, "embed.js"),
    ("/_hotshoe/static/js/bokeh.min.js", Kind.STATIC, None, "js/bokeh.min.js"),
    ("/_hotshoe/static/extensions/panel/panel.js", Kind.EXTENSION, None, "panel/panel.js"),
    ("/static/extensions/panel/panel.js", Kind.EXTENSION, None, "panel/panel.js"),
    ("/", Kind.SITE, None, ""),
    ("", Kind.SITE, None, ""),
    ("/sliders/more", Kind.SITE, None, ""),
    ("/static/js/bokeh.min.js", Kind.SITE, None, ""),
    ("/embed.js", Kind.SITE, None, ""),
    ("/more/autoload.js", Kind.SITE, None, ""),
    ("/favicon.ico", Kind.SITE, None, ""),
    ("/ws", Kind.SITE, None, ""),
])
def test_in_the_middle_of_a_site(path: str, kind: Kind, app: str | None, rest: str) -> None:
    for prefix in ("", "/p"):
        routes = Routes({"/sliders": AppInfo("/sliders", "")}, prefix, has_site=True)
        route = routes.resolve(prefix + path)
        assert (route.kind, route.app and route.app.url, route.rest) == (kind, app, rest)


@pytest.mark.parametrize(("has_static", "kind"), [(False, Kind.SITE), (True, Kind.APP_STATIC)])
def test_static_files_of_a_site_with_an_app_at_its_root(has_static: bool, kind: Kind) -> None:
    """They are the site's, unless the app has such a folder, too."""
    routes = Routes({"/": AppInfo("/", "", has_static=has_static)}, has_site=True)
    assert routes.resolve("/static/site.css").kind is kind
    assert routes.resolve("/static/extensions/panel/x.js").kind is (kind if has_static else Kind.EXTENSION)
    assert routes.resolve("/ws").kind is Kind.SOCKET


def test_a_withdrawn_app_of_a_site_leaves_nothing_at_its_url() -> None:
    routes = Routes({"/a": AppInfo("/a", "")}, "/p", has_site=True, withdrawn={"/gone"})
    assert [routes.resolve(path).kind for path in ("/p/gone", "/p/gone/", "/p/gone/more", "/p/other")] == [
        Kind.NOTHING, Kind.NOTHING, Kind.SITE, Kind.SITE]


def test_what_is_not_below_the_prefix_is_not_the_sites_either() -> None:
    routes = Routes({"/sliders": AppInfo("/sliders", "")}, "/p", has_site=True)
    assert routes.resolve("/sliders").kind is Kind.NOTHING
    assert routes.resolve("/favicon.ico").kind is Kind.NOTHING


@pytest.mark.parametrize(("path", "kind"), [
    ("/", Kind.PAGE), ("", Kind.PAGE), ("/ws", Kind.SOCKET), ("/metadata", Kind.METADATA),
    ("/autoload.js", Kind.AUTOLOAD), ("/static/js/bokeh.js", Kind.APP_STATIC), ("/nothing", Kind.NOTHING),
])
def test_app_at_the_root(path: str, kind: Kind) -> None:
    assert routes("/").resolve(path).kind is kind


def test_prefix_hides_everything_but_the_favicon() -> None:
    prefixed = routes("/a", prefix="p")
    for path in ("/a", "/", "/pa", "/p2/a", "/static/js/bokeh.js"):
        assert prefixed.resolve(path).kind is Kind.NOTHING
    assert prefixed.resolve("/favicon.ico").kind is Kind.FAVICON
    assert prefixed.resolve("/p/favicon.ico").kind is Kind.FAVICON


@pytest.mark.parametrize("path", [thumbnail_path("/"), source_path("/")])
def test_what_belongs_to_the_app_at_the_root(path: str) -> None:
    app = routes("/").resolve(path).app
    assert app is not None
    assert app.url == "/"


@pytest.mark.parametrize("path", ["/static/" * 8000, "/a" * 20000, "/" * 60000, "/static" * 9000])
def test_hostile_paths_are_cheap(path: str) -> None:
    assert routes().resolve(path).kind is not Kind.PAGE


@pytest.mark.parametrize(("url", "path"), [("/", "/embed.js"), ("/a", "/a/embed.js")])
def test_in_a_site_the_component_is_below_each_app_only(url: str, path: str) -> None:
    found = Routes({url: AppInfo(url, url)}, has_site=True)
    assert (found.resolve(path).kind, found.resolve(path).rest) == (Kind.ASSET, "embed.js")
    assert found.resolve("/elsewhere/embed.js").kind is Kind.SITE


def test_methods() -> None:
    assert routes().resolve("/sliders/ws").methods == ("GET",)
    assert "OPTIONS" in routes().resolve("/sliders/autoload.js").methods
    assert routes().resolve("/sliders").methods == ("GET", "HEAD")


@pytest.mark.parametrize("path", ["/p/login", "/p/login/", "/p/deep/in"])
def test_pages_of_a_provider_come_before_apps(path: str) -> None:
    found = Routes({url: AppInfo(url, url) for url in ("/", "/login")}, "p", login={"/login", "/deep/in"}).resolve(path)
    assert (found.kind, found.rest) == (Kind.LOGIN, path.removeprefix("/p").rstrip("/"))
    assert urljoin(f"http://h{path}", found.up) == "http://h/p/"
    assert Routes({}, "p", login={"/login"}).resolve("/login").kind is Kind.NOTHING
