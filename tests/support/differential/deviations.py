"""Where the two servers answer differently on purpose: each difference, and its row in docs/deviations.md.

What is not in this table is a bug; what is in it and does not happen any more is one too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import bokeh
from tests.support.raw_websocket import Closed

BOKEH = ".".join(bokeh.__version__.split(".")[:2])


@dataclass(frozen=True, slots=True)
class Coded:
    """A close frame with one of these codes; ``None`` is an empty one, or none at all."""

    codes: tuple[int | None, ...]


class _Anything:
    def __repr__(self) -> str:
        return "anything"


ANY = _Anything()


@dataclass(frozen=True, slots=True)
class Deviation:
    """``facet`` of the answers to ``questions`` (a pattern for their names) is ``stock`` there and ``ours`` here."""

    row: str
    questions: str
    facet: str
    stock: Any
    ours: Any
    bokeh: str = ""
    """The version of bokeh that answers so; empty for all."""

    def explains(self, question: str, facet: str, stock: Any, ours: Any) -> bool:
        """Whether this is the reason for a difference."""
        return (self.facet == facet and self.bokeh in ("", BOKEH) and re.fullmatch(self.questions, question) is not None
                and _fits(self.stock, stock) and _fits(self.ours, ours))


def _fits(expected: Any, found: Any) -> bool:
    if isinstance(expected, Coded):
        return isinstance(found, Closed) and found.code in expected.codes
    return expected is ANY or bool(expected == found)


_HTML = "text/html; charset=utf-8"
_SCRIPT = "application/javascript; charset=utf-8"
_HEAD = "`HEAD` on a page, script or index"
_BROKEN = "an app that fails"
_REFUSED = "a failing or refused `autoload.js`"
_UNDECODABLE = "an undecodable token, an empty session id"
_EXPIRED = "a page is asked for with an expired token"
_CORS = "`Access-Control-Allow-Origin` of `autoload.js`"
_PREFLIGHT = "`OPTIONS` of `autoload.js` without `Origin`"
_PAGES = "pages"
_CHARSET = "`Content-Type` of pages and scripts"
_PLAIN = "`Content-Type` of a refusal in one line"
_SLASHES = "trailing slashes"
_FRESH = "`Cache-Control` of files"
_ICON = "`/favicon.ico`"
_RANGES = "ranges that cover the whole file, or none of it"
_OWN = "files of BokehJS below an app's own `static/`"
_EXTENSIONS = "extensions' files"
_CARRIED = "the content of signed tokens"
_PATH = "a `bokeh-app-path` that is not a path"

_TOO_OLD = r"(page|autoload) by token (too old|without expiry)"
_FAILING = r"(page|autoload) of a broken app"
_OUT = r"autoload with path that breaks out"
_WORLD = r".* autoload|autoload .*|preflight of autoload.*|path autoload slash"
_NO_PAGE = rf"{_TOO_OLD}|{_FAILING}|{_OUT}"


def _instead_of_a_page(row: str, questions: str) -> tuple[Deviation, ...]:
    """What an answer loses that is no page or script any more."""
    return tuple(Deviation(row, questions, facet, ANY, None)
                 for facet in ("at", "carries", "lasts_s", "resources", "roots", "session", "title"))


def _file_instead_of_404(row: str, questions: str) -> tuple[Deviation, ...]:
    kinds = {"content-type": _HTML, "status": 404}
    return tuple(Deviation(row, questions, facet, kinds.get(facet), ANY) for facet in (
        "accept-ranges", "body", "cache-control", "content-type", "etag", "last-modified", "status"))


HTTP: tuple[Deviation, ...] = (
    Deviation(_HEAD, "HEAD (index|page|autoload|metadata|favicon)", "status", 405, 200),
    Deviation(_HEAD, "HEAD (autoload|metadata|favicon)", "content-type", _HTML, ANY),
    Deviation(_BROKEN, _FAILING, "status", 200, 500),
    *_instead_of_a_page(_BROKEN, _FAILING),
    Deviation(_REFUSED, "autoload by .*", "content-type", _HTML, _SCRIPT),
    Deviation("an undecodable token, an empty session id", r"(page|autoload) by (empty (token|id)|token that is none)",
              "status", 500, 403),
    Deviation(_UNDECODABLE, "(page|autoload) by token without id", "status", 500, 403),
    Deviation(_EXPIRED, _TOO_OLD, "status", 200, 410),
    *_instead_of_a_page(_EXPIRED, _TOO_OLD),
    Deviation("reasons of 400 and 403",
              r"(page|autoload) by (id as both|token and id( header)?)|autoload with (no|empty) element", "reason",
              "in the status line", None),
    Deviation(_CORS, _WORLD, "access-control-allow-credentials", "true", None),
    Deviation(_CORS, "autoload with origin and cookies|preflight .*", "access-control-allow-origin",
              "http://other.example", "*", "3.9"),
    Deviation(_CORS, "preflight .*", "access-control-allow-headers", "*", "x-of-page"),
    Deviation(_PREFLIGHT, "OPTIONS autoload", "status", 500, 200, "3.9"),
    Deviation(_PREFLIGHT, "OPTIONS autoload", "access-control-allow-methods", None, ANY, "3.9"),
    Deviation(_PREFLIGHT, "OPTIONS autoload", "body", None, "empty", "3.9"),
    Deviation("`Location` of the redirect to the only app", "(single|prefix): .*", "location", ANY, ANY),
    Deviation(_PAGES, ".*", "etag", "present", None),
    Deviation(_PAGES, ".*", "cache-control", None, "no-store"),
    Deviation(_CHARSET, ".*", "content-type", "text/html", _HTML),
    Deviation(_CHARSET, ".*", "content-type", "application/javascript", _SCRIPT),
    Deviation(_CHARSET, ".*", "content-type", "text/css", "text/css; charset=utf-8"),
    Deviation(_CHARSET, ".*", "content-type", "text/javascript", "text/javascript; charset=utf-8"),
    Deviation(_PLAIN, "(OPTIONS autoload|GET socket|path socket slash|preflight.*|autoload with (no|empty) element)",
              "content-type", _HTML, "text/plain; charset=utf-8"),
    Deviation("the index", ".*", "title", "Running Bokeh Applications", "Apps"),
    Deviation("`Allow` of a 405", ".*", "allow", None, ANY),
    Deviation(_FRESH, ".*", "cache-control", None, "no-cache"),
    Deviation(_FRESH, "file of its version", "cache-control", "max-age=315360000",
              "public, max-age=31536000, immutable"),
    Deviation(_FRESH, "file of another version", "cache-control", "max-age=315360000", "no-cache"),
    Deviation(_FRESH, "file of .* version", "expires", "present", None),
    Deviation("compression", "encoding of a large file", "content-encoding", None, "gzip"),
    Deviation(_ICON, ".* favicon( below)?", "cache-control", None, "max-age=86400"),
    *(each for each in _file_instead_of_404(_ICON, ".*: favicon below")
      if each.facet in ("body", "content-type", "status")),
    Deviation(_SLASHES, "path (two slashes|quoted|autoload slash|metadata slash)", "status", 404, 200),
    Deviation(_SLASHES, "path socket slash", "status", 404, 400),
    Deviation(_SLASHES, "path (autoload|metadata) slash", "content-type", _HTML, ANY),
    *(Deviation(_SLASHES, "path (two slashes|quoted|autoload slash|metadata slash)", facet, None, ANY)
      for facet in ("carries", "lasts_s", "roots", "session", "title", "at", "resources", "json",
                    "access-control-allow-origin", "access-control-allow-headers")),
    Deviation(_PATH, _OUT, "status", 200, 400),
    *(each for each in _instead_of_a_page(_PATH, _OUT) if each.facet not in ("roots", "title")),
    Deviation("a file outside its folder, or with a null byte in its name", "file absolute", "status", 403, 404),
    Deviation("a file outside its folder, or with a null byte in its name", "file null byte", "status", 500, 404),
    *_file_instead_of_404(_OWN, "file own bokeh"),
    *_file_instead_of_404(_EXTENSIONS, "file of panel"),
    Deviation(_RANGES, "range (whole|too long)", "status", 200, 206),
    Deviation(_RANGES, "range (whole|too long)", "content-range", None, ANY),
    Deviation(_RANGES, "range (beyond|empty suffix)", "content-type", ANY, _HTML),
    *(Deviation(_RANGES, "range (beyond|empty suffix)", facet, ANY, None)
      for facet in ("accept-ranges", "body", "last-modified")),
    Deviation("`Content-Type` of a 304", ".*", "content-type", None, "text/css; charset=utf-8"),
    Deviation(_CARRIED, ".*", "carries", ANY, ANY),
)

_CODES = "protocol errors"
_WRONG = "a wrong subprotocol or token"
_EMPTY = Coded((None,))
_OWN_PAGE = "a page of the server itself"
_UNNAMED = "an unnamed `localhost:PORT` that is not the request's own host"
_NO_APP = "a websocket where there is no app"
_TEXTS = "an `ERROR`"
_AGAIN = "an app that fails when the session is made again"
_TWICE = "data that is replaced and streamed to in one callback"
_ADMITTED: dict[str, tuple[Any, Any]] = {
    "status": (403, 101), "body": (ANY, None), "echoed": (None, True), "first": (None, "ACK"),
}

WEBSOCKETS: tuple[Deviation, ...] = (
    *(Deviation(_OWN_PAGE, "origin: proxy that rewrites the host", facet, *sides)
      for facet, sides in _ADMITTED.items()),
    *(Deviation(_UNNAMED, "origin: localhost, asked by number", facet, theirs, ours)
      for facet, (ours, theirs) in {**_ADMITTED, "body": ("Cross origin websockets not allowed", None)}.items()),
    Deviation("a token that has expired", "token: expired, of a live session", "closed", _EMPTY, None),
    Deviation("a token that has expired", "token: expired, of a live session", "first", None, "ACK"),
    Deviation(_WRONG, "subprotocols: .*", "closed", _EMPTY, Coded((1002,))),
    Deviation(_WRONG, "token: .*", "closed", _EMPTY, Coded((1008,))),
    Deviation(_WRONG, "token: a number for id", "closed", "never, and no answer", Coded((1008,))),
    Deviation(_WRONG, "token: a number for id", "status", None, 101),
    Deviation(_WRONG, "token: a number for id", "echoed", None, True),
    Deviation(_CODES, "malformed: .*", "closed", Coded((10000, 10001)), Coded((1002, 1003, 1007))),
    Deviation(_CODES, "malformed: num_buffers is .*", "closed", "never, and no answer", Coded((1002,))),
    Deviation(_CODES, "malformed: (content is a list|header with a number for msgid)", "closed", None, Coded((1002,))),
    Deviation(_CODES, "malformed: (content is a list|header with a number for msgid)", "answered", ANY, None),
    Deviation("the metadata of a message", "malformed: metadata is .*", "closed", Coded((10000, 10001)), None),
    Deviation("the metadata of a message", "malformed: metadata is .*", "answered", None, "OK"),
    Deviation("the metadata of a message", "flow: pulling", "metadata", {}, {"needs": ["bokeh-widgets"]}),
    Deviation("`--websocket-max-message-size`", "flow: too big a message", "closed", None, Coded((1009,))),
    Deviation(_AGAIN, "socket of a broken app", "first", "ACK", None),
    Deviation(_AGAIN, "socket of a broken app", "closed", None, Coded((1011,))),
    Deviation("headers and cookies in a token", "session made by a token.*", "headers", ANY, ANY),
    Deviation("headers and cookies in a token", "session made by a token.*", "cookies", ANY, ANY),
    Deviation(_NO_APP, "socket (at|outside) .*", "body", ANY, "There is no app at this address"),
    Deviation(_NO_APP, "socket at (page|metadata|file)", "status", 200, 404),
    *(Deviation(_SLASHES, "socket at slash", facet, ANY, ANY) for facet in ("status", "body", "echoed", "first")),
    Deviation("pings", "flow: kept alive", "pings", [b"0", b"1"], ANY),
    Deviation(_TEXTS, "flow: (unknown reference|wrong value)", "own", ANY, [
        ["ERROR", "an error id", False], ["OK", {}]]),
    Deviation(_TEXTS, "flow: set failing to 3", "own", ANY, [
        ["ModelChanged", "text", {"new": "about to fail"}], ["ERROR", "an error id", False]]),
    Deviation("changes that a callback made before it failed", "flow: set failing to 3", "other",
              [["PULL-DOC-REPLY", 7]], ANY, "3.9"),
    Deviation(_TWICE, "flow: clicking for three points", "own", ANY, ANY, "3.10"),
    Deviation(_TWICE, "flow: clicking for three points", "other", ANY, ANY, "3.10"),
)

TABLE = HTTP + WEBSOCKETS

ELSEWHERE: dict[str, str] = {
    "`autoload.js` without an element": "real/test_differential.py::test_a_refused_autoload_leaves_no_session",
    "a page whose token would not fit into its websocket's request":
        "web/visits/test_long_requests.py::test_a_page_is_built_only_if_its_websocket_can_be_opened",
    "more than 100 headers": "server/test_http_protocol.py::test_the_number_of_headers",
    "a URL with a host (`GET http://…`) that differs from `Host`":
        "server/test_http_protocol.py::test_nonsense_is_answered",
    "an entry without a port in `BOKEH_ALLOW_WS_ORIGIN`":
        "web/gate/test_origins.py::test_an_entry_without_a_port_is_one_of_port_80",
    "BokehJS in a site that is around the apps (`--wsgi`, `hotshoe.wrap`)":
        "web/test_wrapping.py::test_pages_ask_for_bokehjs_where_no_site_has_files",
    "`--keep-alive`": "config/test_settings.py::test_defaults",
    "a page or `autoload.js` whose app takes more than 10 s to build":
        "web/visits/test_starting.py::test_a_page_that_takes_long_says_so_and_is_asked_for_again",
    "a peer that answers no ping": "server/test_websocket_protocol.py::test_who_misses_two_pings_is_gone",
    "changes of one property that wait for a busy session":
        "real/test_isolation.py::test_only_the_last_of_the_changes_that_wait_is_applied",
    "signatures of the server's own session ids and tokens":
        "web/test_session_ids.py::test_a_token_is_good_for_its_own_app_only",
    "unsigned session ids and tokens":
        "web/test_session_ids.py::test_nobody_else_creates_a_session_under_an_id_of_their_own",
    "a callback that is added or removed while the document holds changes back":
        "sessions/test_session.py::test_a_hold_keeps_no_callback_back",
    "`with_locked_document` in `on_session_destroyed`":
        "sessions/test_registry.py::test_a_destroyed_hook_may_lock_the_document_a_last_time",
    "files below `static/` whose names begin with a dot": "hosts/test_served_apps.py::test_names_with_a_leading_dot",
    "a document that can't be sent to a browser":
        "sessions/test_unsendable.py::test_a_page_is_made_and_its_pull_fails",
    "an app that adds nothing to its document":
        "browser/test_signs.py::test_an_empty_page_says_so_until_there_is_something",
    "a message beyond `--websocket-max-message-size`":
        "browser/test_signs.py::test_a_file_that_is_too_large_is_refused_by_the_page_which_stays_connected",
    "a notebook that adds nothing to its document":
        "panel/test_notebooks.py::test_values_texts_and_figures_or_what_is_served",
    "an app that configures logging anew": "base/test_own_log.py::test_each_line_is_in_the_log_once_and_in_its_format",
    "what a page loads of BokehJS": "pages/test_bundles.py::test_only_what_is_needed_is_loaded_in_stocks_order",
    "`X-Content-Type-Options` of files":
        "web/files/test_static.py::test_without_a_known_type_it_is_what_the_browser_loads",
    "the type of a file without a known suffix":
        "web/files/test_static.py::test_without_a_known_type_it_is_what_the_browser_loads",
    "files of Panel's components": "panel/test_components.py::test_nothing_else_of_the_folder_is_served",
    "`curdoc().title = …` (any attribute) in an unlocked callback":
        "sessions/test_callbacks.py::test_an_unlocked_callback_cannot_set_what_the_document_is_made_of",
    "widgets of ipywidgets by `ipywidgets_bokeh`": "browser/test_panel_extensions.py",
    "an `async` function given to `on_click`, `on_event`, `on_change` or `on_message`":
        "sessions/test_awaiting.py::test_it_runs_on_the_loop_with_the_lock",
    "the server stops": "real/test_hooks.py::test_a_signal_closes_sockets_and_runs_the_hooks",
}
"""Rows of the docs that no question can show, and the test that proves each."""
