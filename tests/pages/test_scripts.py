"""The scripts of the page, run by node."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.needs import need_program

from hotshoe.pages import assets
from hotshoe.pages.assets import page_script

HARNESS = Path(__file__).with_name("harness.js")
SCRIPTS = Path(assets.__file__).parent / "scripts"

BASIC = """
install({base: "http://h/p/", own: "http://h/p/app/", nonce: "NN", loaded: ["bokeh", "js:static/a.js http://cdn/b.js"],
         components: {"bokeh": "static/js/bokeh.js", "bokeh-tables": "static/js/tables.js?v=1"}});
const socket = new WebSocket("ws://h/p/app/ws", ["bokeh", "token"]);
const seen = [];
socket.onmessage = (event) => seen.push(event.data);
socket.addEventListener("close", (event) => seen.push("close " + event.code + " " + event.reason));
"""


def run(code: str) -> Any:
    """What ``code`` hands to ``show``, as it is after all its awaits."""
    names = "FakeSocket, install, answer, message, inserted, errors"
    program = (f"const {{{names}}} = require({json.dumps(str(HARNESS))});\n"
               "const shown = []; const show = (...values) => shown.push(...values.map((v) => structuredClone(v)));\n"
               f"(async () => {{ {code}\n console.log(JSON.stringify(shown)); process.exit(0); }})();")
    with tempfile.TemporaryDirectory() as folder:
        page_js = Path(folder) / "page.js"
        page_js.write_bytes(page_script().body)
        done = subprocess.run([need_program("node"), "-e", program], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "PAGE_SCRIPT": str(page_js)}, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(address: str, depth: int, js: list[str], nonce: str = "") -> str:
    plan = {"depth": depth, "js": js, "css": [], "config": {"loaded": []}}
    code = f"""
    const address = new URL({json.dumps(address)});
    globalThis.location = address;
    let text = "";
    globalThis.document = {{currentScript: {{nonce: {json.dumps(nonce)}}}, baseURI: "http://outer/x/app",
                            write: (html) => {{ text += html; }}}};
    eval(require("fs").readFileSync({json.dumps(str(SCRIPTS / 'load.js'))}, "utf-8"))({json.dumps(plan)});
    show(text, window._hotshoe.base);
    """
    text, _ = run(code)
    return str(text)


@pytest.mark.parametrize(("address", "depth", "base"), [
    ("http://h/", 0, "http://h/"),
    ("http://h/p/", 0, "http://h/p/"),
    ("http://h/app", 1, "http://h/"),
    ("http://h/app/?a=1#x", 1, "http://h/"),
    ("http://h/p/app", 1, "http://h/p/"),
    ("http://h/p/app///", 1, "http://h/p/"),
    ("https://h:8443/p/q/a/b/c", 3, "https://h:8443/p/q/"),
    ("http://h/", 1, "http://h/"),
    ("http://h//evil.com/app", 1, "http://h//evil.com/"),
    ("http://h//evil.com", 1, "http://h/"),
    ("about:srcdoc", 1, "http://outer/x/"),
])
def test_the_base_is_where_the_browser_is(address: str, depth: int, base: str) -> None:
    assert written(address, depth, ["static/a.js"]) == f'<script src="{base}static/a.js"></script>'


@pytest.mark.parametrize(("address", "own"), [
    ("http://h/", "http://h/"), ("http://h/p/app//?a=1", "http://h/p/app/"), ("about:srcdoc", "http://outer/x/app/"),
])
def test_what_is_ours_is_below_the_app(address: str, own: str) -> None:
    html = written(address, 1, ["_hotshoe/page.js?v=1", "_hotshoe/static/js/a.js"])
    base = "http://outer/x/" if "about:" in address else "http://h/p/" if "app" in address else "http://h/"
    assert html.splitlines() == [f'<script src="{own}_hotshoe/page.js?v=1"></script>',
                                 f'<script src="{base}_hotshoe/static/js/a.js"></script>']


def test_addresses_of_others_stay_and_text_is_quoted() -> None:
    html = written("http://h/a&quot;b'/app", 1, ["https://cdn/x.js", "/y.js", "z.js"], nonce='n"')
    assert html.splitlines() == [
        '<script src="https://cdn/x.js" nonce="n&quot;"></script>',
        '<script src="/y.js" nonce="n&quot;"></script>',
        '<script src="http://h/a&amp;quot;b\'/z.js" nonce="n&quot;"></script>',
    ]


def test_messages_without_needs_pass_at_once() -> None:
    assert run(BASIC + """
    socket.deliver(...message(null, "C"), ...message(["bokeh"], "D"));
    show(seen.length, inserted.length);
    """) == [6, 0]


def test_a_message_waits_for_its_bundle_and_others_wait_behind_it() -> None:
    seen, waiting, after, last, element = run(BASIC + """
    socket.deliver(...message(null, "1"), ...message(["bokeh-tables"], "2"), ...message(null, "3"));
    show(seen.filter((text) => text.length === 1), inserted.length);
    await answer("tables.js");
    show(seen.filter((text) => text.length === 1));
    socket.deliver(...message(["bokeh-tables"], "4"));
    show(seen.at(-1), inserted[0]);
    """.replace("inserted[0]", "{src: inserted[0].src, nonce: inserted[0].nonce, async: inserted[0].async}"))
    assert (seen, waiting) == (["1"], 1)
    assert after == ["1", "2", "3"]
    assert last == "4"
    assert element == {"src": "http://h/p/static/js/tables.js?v=1", "nonce": "NN", "async": False}


def test_close_comes_after_the_held_messages_once() -> None:
    assert run(BASIC + """
    let errors_seen = 0;
    socket.onerror = () => { errors_seen += 1; };
    socket.deliver(...message(["bokeh-tables"], "1"));
    socket.shut(1012);
    show(seen.length, socket.readyState, errors_seen);
    await answer("tables.js");
    show(seen.slice(-2), errors_seen);
    """) == [1, 3, 0, ["1", "close 1012 r"], 1]


def test_a_failure_is_told_and_the_message_delivered_and_the_next_tries_again() -> None:
    assert run(BASIC + """
    socket.deliver(...message(["bokeh-tables"], "1"));
    await answer("tables.js", false);
    show(seen.at(-1), errors.length);
    socket.deliver(...message(["bokeh-tables"], "2"));
    show(seen.at(-1).slice(0, 8), inserted.length);
    await answer("tables.js");
    show(seen.at(-1));
    """) == ["1", 1, '{"msgid"', 2, "2"]


def test_several_waiting_messages_wait_for_different_bundles() -> None:
    assert run(BASIC + """
    socket.deliver(...message(["model:abc"], "1"), ...message(["ext:x/x.js?v=1", "css:c.css"], "2"));
    show(inserted.map((one) => one.src || one.href));
    await answer("abc.js");
    show(seen.filter((text) => text.length === 1), inserted.map((one) => one.src || one.href).slice(1));
    await answer("c.css");
    show(seen.length);
    await answer("x.js");
    show(seen.at(-1));
    """) == [["http://h/p/app/_hotshoe/models/abc.js"], ["1"],
             ["http://h/p/c.css", "http://h/p/static/extensions/x/x.js?v=1"], 4, "2"]


def test_what_a_class_asks_for_comes_in_its_order_and_once() -> None:
    assert run(BASIC + """
    socket.deliver(...message(["model:m", "js:http://cdn/b.js z.js y.js"], "1"));
    show(inserted.map((one) => one.src));
    """) == [["http://h/p/z.js", "http://h/p/y.js", "http://h/p/app/_hotshoe/models/m.js"]]


def test_an_unknown_name_is_told_and_not_waited_for() -> None:
    assert run(BASIC + 'socket.deliver(...message(["nonsense"], "1")); show(seen.at(-1), errors.length);') == ["1", 1]


def test_buffers_are_counted_so_that_metadata_is_found() -> None:
    assert run(BASIC + """
    socket.deliver(...message(null, "1", 2), '{"id": "a"}', new ArrayBuffer(3), '{"needs": ["bokeh-tables"]}',
                   new ArrayBuffer(4), ...message(["bokeh-tables"], "2"));
    show(seen.length, seen[6].byteLength, inserted.length);
    """) == [8, 4, 1]


@pytest.mark.parametrize("frame", ["not json", "null", "[", "7"])
def test_frames_that_are_no_message_pass(frame: str) -> None:
    seen, = run(BASIC + f"socket.deliver({json.dumps(frame)}, ...message([], 'x')); show(seen);")
    assert seen[0] == frame
    assert seen[-1] == "x"


def test_other_sockets_are_left_alone() -> None:
    assert run(BASIC + """
    for (const protocols of [undefined, "chat", ["chat", "bokeh"]]) {
      const other = new WebSocket("ws://h/x", protocols);
      const got = [];
      other.onmessage = (event) => got.push(event.data);
      other.deliver(...message(["bokeh-tables"], "1"));
      show(got.length, inserted.length);
    }
    """) == [3, 0] * 3


def test_the_interface_stays_that_of_websocket() -> None:
    assert run(BASIC + """
    show(WebSocket.OPEN, WebSocket.CLOSED, WebSocket.name, socket instanceof WebSocket, socket instanceof FakeSocket,
         socket.url, socket.binaryType, socket.readyState);
    class Mine extends WebSocket { own() { return 1; } }
    show(new Mine("ws://h", "bokeh").own());
    """) == [1, 3, "FakeSocket", True, True, "ws://h/p/app/ws", "blob", 1, 1]


def test_loading_the_script_twice_gates_once() -> None:
    assert run(BASIC + """
    install(globalThis._hotshoe);
    const again = new WebSocket("ws://h", ["bokeh", "t"]);
    const got = [];
    again.onmessage = (event) => got.push(event.data);
    again.deliver(...message(["bokeh-tables"], "1"));
    await answer("tables.js");
    show(got.length);
    """) == [3]


def test_what_the_page_sends_goes_through_as_it_is() -> None:
    assert run(BASIC + """
    const frames = ['{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1}', "{}", "{}", '{"id":"b"}', "bytes"];
    for (const data of [...frames, "nonsense", "{", "null"]) socket.send(data);
    show(socket.sent.length, Object.keys(socket).includes("send"), errors);
    """) == [8, False, []]


def test_a_sign_that_can_not_be_shown_does_not_hold_up_the_app() -> None:
    assert run(BASIC + """
    const failed = message(null, "1").with(1, '{"failure": {"id": "1", "key": "k", "count": 1}}');
    socket.deliver(...failed, ...message(null, "2"));
    show(seen.at(-1), errors.length);
    """) == ["2", 1]


@pytest.mark.parametrize(("came_by", "own"), [
    ("?bokeh-session-id=ID&hotshoe-starting=new#h", "#h"),
    ("?x=a%20b+c&bokeh-session-id=ID.x_-&hotshoe-starting=new#h", "?x=a%20b+c#h"),
    ("?bokeh-session-id=mine&hotshoe-starting=kept", "?bokeh-session-id=mine"),
    ("?x=1&hotshoe-starting=kept", "?x=1"),
    ("?hotshoe-starting=kept", ""),
    ("?bokeh-session-id=mine", "?bokeh-session-id=mine"),
    ("?hotshoe-starting=new", "?hotshoe-starting=new"),
    ("?x=1", "?x=1"),
    ("", ""),
])
def test_the_visitor_s_own_address_comes_back(came_by: str, own: str) -> None:
    shown = run(f'location = new URL("http://h/p/app{came_by}"); install({{}}); show(location.href);')
    assert shown == [f"http://h/p/app{own}"]


SENDING = BASIC.replace("components:", "max_message_bytes: 200, components:") + """
const words = [];
class Element { constructor(tag) { this.tag = tag; this.dataset = {}; } setAttribute() {} append() {}
  attachShadow() { return this; } replaceChildren(...all) { words.push(all.length); } addEventListener() {} }
globalThis.CSSStyleSheet = class { replaceSync() {} };
globalThis.getComputedStyle = () => ({ backgroundColor: "rgb(255, 255, 255)" });
document.createElement = (tag) => new Element(tag);
document.body = new Element("body");
const header = (more) => JSON.stringify({ msgid: "1", msgtype: "PULL-DOC-REQ", ...more });
const send = (...parts) => parts.forEach((part) => socket.send(part));
"""


def test_a_message_is_sent_as_a_whole() -> None:
    assert run(SENDING + """
    send(header(), "{}");
    show(socket.sent || null);
    send("{}");
    send(header({ num_buffers: 1 }), "{}", "{}", '{"id":"0"}', new ArrayBuffer(100));
    show(socket.sent.length, words.length);
    """) == [None, 8, 0]


def test_a_message_that_is_too_large_is_not_sent_but_the_server_is_told() -> None:
    told, words, after = run(SENDING + """
    send(header(), "{}", JSON.stringify("é".repeat(80))); // 2 bytes each
    send(header({ num_buffers: 1 }), "{}", "{}", '{"id":"0"}', new Uint8Array(200));
    show(socket.sent.map((part) => JSON.parse(part)), words);
    send(header(), "{}", "{}");
    show(socket.sent.length);
    """)
    assert [part.get("msgtype") for part in told[::3]] == ["PATCH-DOC", "PATCH-DOC"]
    (event,), (other,) = told[2]["events"], told[5]["events"]
    assert (event["kind"], event["msg_type"], event["msg_data"]["limit"]) == ("MessageSent", "hotshoe:too-big", 200)
    envelope = len('{"msgid":"1","msgtype":"PULL-DOC-REQ"}{}')
    assert event["msg_data"]["bytes"] == envelope + 162
    assert other["msg_data"]["bytes"] == envelope + len(',"num_buffers":1{}{"id":"0"}') + 200
    assert words == [1, 1]
    assert after == len(told) + 3


def test_a_server_with_a_limit_of_its_own_is_told_by_the_next_socket() -> None:
    assert run(SENDING.replace("max_message_bytes: 200", "max_message_bytes: 0") + """
    send(header(), "{}", JSON.stringify("x".repeat(100)));
    send(header(), "{}", "{}");
    show(socket.sent.length, words);
    socket.shut(1009, "frame exceeds limit of 50 bytes");
    show(words.length);
    const next = new WebSocket("ws://h/p/app/ws", ["bokeh", "token"]);
    next.dispatchEvent(new Event("open"));
    const { bytes, limit } = JSON.parse(next.sent[2]).events[0].msg_data;
    show(bytes > 100, limit);
    const last = new WebSocket("ws://h/p/app/ws", ["bokeh", "token"]);
    last.dispatchEvent(new Event("open"));
    show(last.sent || null);
    """) == [6, [], 1, True, 50, None]


def test_a_connection_that_breaks_during_a_large_message_is_told_with_care() -> None:
    large = 'send(header(), "{}", JSON.stringify("x".repeat(2 ** 20)));'
    sending = SENDING.replace("max_message_bytes: 200", "max_message_bytes: 0")
    assert run(sending + large + 'socket.shut(1006, ""); show(words.length);') == [1]
    assert run(sending + large + """
    socket.deliver('{"msgid":"2","msgtype":"OK","reqid":"1"}', "{}", "{}");
    socket.shut(1006, "");
    show(words.length);
    """) == [0]
    assert run(sending + 'send(header(), "{}", "{}"); socket.shut(1006, ""); show(words.length);') == [0]
def test_the_console_names_the_bundle_and_the_setting_where_one_is_missing() -> None:
    shown = run("""
    install({base: "http://h/", own: "http://h/app/", nonce: "", loaded: ["bokeh"], components: {}});
    class Resolver {
      known = new Map([["Plot", class {}]]);
      get(name) { return this.known.get(name) ?? null; }
      register(model) { if (this.get(model.name) === null) this.known.set(model.name, model); }
    }
    globalThis.Bokeh = {Models: new Resolver()};
    _hotshoe.name_missing(Bokeh);
    Bokeh.Models.get("Plot");
    Bokeh.Models.get("NoSuchModel");
    show(errors.length, Bokeh.Models.get("Slider") === null);
    Bokeh.Models.get("Slider");
    Bokeh.Models.get("DataTable");
    show(Bokeh.Tables === undefined, [...errors]);
    Bokeh.Models.register(class Toggle {});
    Bokeh.Widgets = {Slider: 1};
    show(Bokeh.Widgets, errors.length);
    """)
    none, is_null, is_undefined, errors, widgets, count = shown
    assert (none, is_null, is_undefined, widgets, count) == (0, True, True, {"Slider": 1}, 3)
    for name, bundle, text in zip(("Slider", "DataTable", "Bokeh.Tables"), ("widgets", "tables", "tables"), errors,
                                  strict=True):
        assert text.startswith(f"hotshoe: {name} is in BokehJS's bundle bokeh-{bundle}")
        assert "--all-bundles" in text


def test_panel_s_module_loader_is_told_its_mode_before_it_comes() -> None:
    shown = run("""
    install({base: "http://h/", own: "http://h/app/", nonce: "", loaded: ["bokeh"], components: {}});
    const tags = [];
    document.querySelector = () => tags[0] ?? null;
    document.head.append = (element) => tags.push(element);
    const socket = new WebSocket("ws://h/app/ws", ["bokeh"]);
    socket.deliver(...message(["js:static/x/es-module-shims@1/shims.js static/es-module-shims/y.js"]));
    show(tags.map((tag) => [tag.type, tag.textContent]), inserted.length);
    """)
    assert shown == [[["esms-options", '{"shimMode": true}']], 2]
