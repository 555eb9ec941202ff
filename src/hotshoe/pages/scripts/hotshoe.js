// hotshoe's script for pages, loaded before BokehJS. The scripts of the signs are in the same file, before this one.
//
// It works between the socket and BokehJS: if a message's metadata names bundles that the page has not loaded, the
// message, and all messages after it, wait until they are loaded. Other metadata is for the signs. Pages set
// `window._hotshoe`: base and own (URLs of the server and of the app, with a slash at the end), nonce, loaded (names),
// components (name -> URL below base), busy_sign (whether there is one), max_message_bytes (of a message to the server).
(function () {
  "use strict";

  if (window._hotshoe_installed) return;
  window._hotshoe_installed = true;
  if (window._hotshoe) window._hotshoe.name_missing = name_missing_bundles;

  const LOAD_TIMEOUT_MS = 60000;

  // Files of model classes come first, custom models last, as in the page itself.
  const ORDER = ["css:", "js:", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax", "ext:", "model:"];
  const rank = (need) => ORDER.findIndex((kind) => need.startsWith(kind));

  const LOCAL = /^(?![a-z][a-z0-9+.-]*:|\/)/i; // neither a scheme nor a slash first

  const config = () => window._hotshoe || { base: "", own: "", nonce: "", loaded: [], components: {} };
  const loads = new Map(); // URL -> {promise, done}; resolved when it has loaded or failed

  // The URLs of a need; null for an unknown one.
  function urls_of(need) {
    const { base, own, components } = config();
    const rest = need.slice(need.indexOf(":") + 1);
    if (need.startsWith("js:") || need.startsWith("css:")) {
      return rest.split(" ").map((url) => (LOCAL.test(url) ? base + url : url));
    }
    if (need.startsWith("ext:")) return [base + "static/extensions/" + rest];
    if (need.startsWith("model:")) return [own + "_hotshoe/models/" + rest + ".js"];
    return need in components ? [base + components[need]] : null;
  }

  const is_loaded = (url) => loads.has(url) ? loads.get(url).done
    : config().loaded.some((need) => (urls_of(need) || []).includes(url));

  // Whether to wait for a need. An unknown one is logged and ignored.
  function is_missing(need) {
    if (config().loaded.includes(need)) return false;
    const urls = urls_of(need);
    if (urls === null) console.error(`hotshoe: no bundle is called ${need}`);
    return urls !== null && !urls.every(is_loaded);
  }

  function element_for(url, is_style) {
    const element = document.createElement(is_style ? "link" : "script");
    if (is_style) {
      element.rel = "stylesheet";
      element.href = url;
    } else {
      element.async = false; // run in the order of insertion
      element.src = url;
    }
    if (config().nonce) element.nonce = config().nonce;
    return element;
  }

  function insert(url, is_style) {
    prepare_shims(url);
    return new Promise((resolve, reject) => {
      const element = element_for(url, is_style);
      const timer = setTimeout(() => reject(new Error("no answer")), LOAD_TIMEOUT_MS);
      element.onload = () => { clearTimeout(timer); resolve(); };
      element.onerror = () => { clearTimeout(timer); reject(new Error("an error")); };
      document.head.appendChild(element);
    });
  }

  function load(url, is_style) {
    if (loads.has(url)) return loads.get(url).promise;
    if (is_loaded(url)) return Promise.resolve();
    const entry = { done: false, promise: null };
    loads.set(url, entry);
    entry.promise = insert(url, is_style).then(() => { entry.done = true; }, (error) => {
      loads.delete(url); // the next message that needs it tries again
      console.error(`hotshoe: ${error.message} loading ${url}`);
    });
    return entry.promise;
  }

  function load_all(needs) {
    const ordered = [...needs].sort((a, b) => rank(a) - rank(b));
    const arrivals = ordered.flatMap((need) => urls_of(need).map((url) => load(url, need.startsWith("css:"))));
    return Promise.all(arrivals).then(() => needs.includes("bokeh-mathjax") ? retry_mathjax() : undefined);
  }

  // BokehJS looks for MathJax once, at the first widget of a page, and remembers a failure: let it look again.
  async function retry_mathjax() {
    try {
      const provider = window.Bokeh.require("models/text/providers").default_provider;
      if (provider.status === "failed") await provider.fetch();
    } catch (error) {
      console.error(`hotshoe: ${error.message} asking BokehJS for MathJax`);
    }
  }

  // Follows the fragments of Bokeh's messages: header, metadata, content, then two per buffer.
  class Fragments {
    index = 0;
    count = 3;

    constructor(waiting, sending) {
      this.waiting = waiting;
      this.sending = sending;
    }

    // The missing bundles for the message of this frame.
    needs_of(data) {
      let needs = [];
      if (this.index === 0) {
        const { num_buffers, reqid } = JSON.parse(data);
        this.count = 3 + 2 * (num_buffers || 0);
        if (reqid !== undefined) {
          this.waiting.answered(reqid);
          this.sending.answered(reqid);
        }
      } else if (this.index === 1 && data.length > 2) {
        const metadata = JSON.parse(data);
        this.tell(metadata);
        needs = (metadata.needs || []).filter(is_missing);
      }
      this.index = (this.index + 1) % this.count;
      return needs;
    }

    tell({ busy, failure, blank }) {
      try {
        if (busy !== undefined) this.waiting.told(busy);
        if (failure !== undefined) show_failure(failure);
        if (blank !== undefined) show_blank(blank);
      } catch (error) {
        console.error(`hotshoe: ${error.message} showing a sign`); // must not stop the app
      }
    }
  }

  // Stops events before BokehJS gets them, and dispatches them again later, on the same native socket. So the socket
  // keeps its whole interface; only `isTrusted` of an event is different.
  class Gate {
    constructor(socket) {
      this.socket = socket;
      this.counting = new Waiting();
      this.sending = new Sending(socket, config().max_message_bytes || 0, {
        sent: (header) => this.counting.sent(header),
        refused: show_too_big,
        hears_replies: true,
      });
      this.fragments = new Fragments(this.counting, this.sending);
      this.held = [];
      this.waiting = false;
      this.passing = false;
      // These are the first listeners, since the socket is new.
      for (const type of ["message", "error", "close"]) socket.addEventListener(type, (event) => this.on_event(event));
    }

    on_event(event) {
      if (this.passing) return;
      if (event.type === "close") this.counting.end();
      if (!this.waiting && this.held.length === 0 && !this.must_wait(event)) return;
      event.stopImmediatePropagation();
      this.held.push(event);
      if (!this.waiting) this.release();
    }

    // Whether this event must wait for bundles; starts to load them.
    must_wait(event) {
      if (event.type !== "message" || this.fragments === null) return false;
      let needs;
      try {
        needs = this.fragments.needs_of(event.data);
      } catch (error) {
        this.fragments = null; // it is not a message of Bokeh; BokehJS reports that
        return false;
      }
      if (needs.length === 0) return false;
      this.waiting = true;
      load_all(needs).then(() => {
        this.waiting = false;
        this.pass(this.held.shift());
        this.release();
      });
      return true;
    }

    release() {
      while (!this.waiting && this.held.length > 0 && !this.must_wait(this.held[0])) this.pass(this.held.shift());
    }

    pass(event) {
      const { data, origin, lastEventId, code, reason, wasClean } = event;
      const copy = event.type === "message" ? new MessageEvent("message", { data, origin, lastEventId })
        : event.type === "close" ? new CloseEvent("close", { code, reason, wasClean }) : new Event(event.type);
      this.passing = true;
      try {
        this.socket.dispatchEvent(copy);
      } finally {
        this.passing = false;
      }
    }
  }

  const speaks_bokeh = (protocols) => protocols === "bokeh" || (Array.isArray(protocols) && protocols[0] === "bokeh");

  window.WebSocket = new Proxy(window.WebSocket, {
    construct(native, args, new_target) {
      const socket = Reflect.construct(native, args, new_target);
      if (speaks_bokeh(args[1])) {
        new Gate(socket);
        follow_closing(socket);
      }
      return socket;
    },
  });
})();
