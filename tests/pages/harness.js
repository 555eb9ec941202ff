// A browser's surface as far as our scripts touch it. The socket stands at the transport boundary: the test plays
// the server with `deliver` and `shut`, and the network with `answer`.
"use strict";
const fs = require("node:fs");

class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    Object.assign(this, { code: init.code, reason: init.reason, wasClean: init.wasClean });
  }
}
globalThis.CloseEvent = CloseEvent;

class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 3;
  readyState = 1;
  binaryType = "blob";
  handlers = {};

  constructor(url, protocols) {
    super();
    this.url = url;
    for (const type of ["open", "message", "error", "close"]) {
      Object.defineProperty(this, "on" + type, {
        get: () => this.handlers[type] || null,
        set: (handler) => {
          if (!(type in this.handlers)) this.addEventListener(type, (event) => this.handlers[type]?.call(this, event));
          this.handlers[type] = handler;
        },
      });
    }
  }
  send(data) {
    this.sent = [...(this.sent || []), data];
  }
  deliver(...frames) {
    for (const data of frames) this.dispatchEvent(new MessageEvent("message", { data, origin: "http://h" }));
  }
  shut(code, reason = "r") {
    this.readyState = 3;
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean: true }));
  }
}

const inserted = [];
const errors = [];
const real_error = console.error;
console.error = (text) => errors.push(text);
globalThis.window = globalThis;
globalThis.document = {
  head: { appendChild: (element) => inserted.push(element) },
  createElement: (tag) => ({ tag, onload: null, onerror: null }),
};
globalThis.addEventListener = () => undefined;
globalThis.location = new URL("http://h/app");
globalThis.history = { state: null, replaceState: (state, title, url) => { globalThis.location = new URL(url); } };
globalThis.WebSocket = FakeSocket;

function install(config) {
  globalThis._hotshoe = config;
  (0, eval)(fs.readFileSync(process.env.PAGE_SCRIPT, "utf-8"));
}

const answer = async (match, ok = true) => {
  const element = inserted.find((one) => (one.src || one.href).includes(match) && !one.answered);
  if (!element) throw new Error("nothing asked for " + match);
  element.answered = true;
  if (ok) element.onload(); else element.onerror();
  await new Promise((resolve) => setTimeout(resolve, 1));
};

const message = (needs, content = "{}", buffers = 0) => [
  JSON.stringify({ msgid: "1", msgtype: "PATCH-DOC", num_buffers: buffers }),
  needs === null ? "{}" : JSON.stringify({ needs }),
  content,
];

module.exports = { FakeSocket, install, answer, message, inserted, errors };
