// Dev mode, in the page of an app or of its error: reloads the page when the server tells that the app has changed, and
// keeps the values of its widgets. The element `hotshoe-dev` has the app's URL and version.
(function () {
  "use strict";

  const RETRY_MS = 1000;
  const RETRY_MOST_MS = 30000;
  const STEADY_MS = 5000;
  const LOOK_MS = 50;
  const TRIES = 600;
  const SECRET = new Set(["PasswordInput", "FileInput"]);

  const { app, version } = JSON.parse(document.getElementById("hotshoe-dev").textContent);
  const key = `hotshoe:inputs:${location.pathname}`;
  let initial = null; // the server's values of the widgets, by name

  const is_plain = (value) => value === null || ["string", "number", "boolean"].includes(typeof value)
    || (Array.isArray(value) && value.every(is_plain));
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const kind = (value) => Array.isArray(value) ? "array" : typeof value;

  function attribute_of(model) {
    if (SECRET.has(model.type.split(".").pop()) || !(model.properties && "disabled" in model.properties)) return null;
    return ["value", "active"].find((name) => name in model.properties && is_plain(model[name])) || null;
  }

  // The widgets, each under its name and under its type and label, with a number if several are equal.
  function widgets() {
    const found = new Map();
    const counts = new Map();
    for (const doc of (window.Bokeh && window.Bokeh.documents) || []) {
      for (const model of doc._all_models.values()) {
        const attribute = attribute_of(model);
        if (attribute === null) continue;
        const label = model.title || model.label || (model.labels || []).join("|") || model.placeholder || "";
        for (const name of [model.name && `name:${model.type}:${model.name}`, `label:${model.type}:${label}`]) {
          if (!name) continue;
          const count = counts.get(name) || 0;
          counts.set(name, count + 1);
          found.set(`${name}:${count}`, { model, attribute });
        }
      }
    }
    return found;
  }

  const values = () => new Map([...widgets()].map(([name, { model, attribute }]) => [name, model[attribute]]));

  // Keeps only values that were changed in this page, so that new defaults in the code are visible.
  function keep() {
    if (initial === null) return;
    const changed = [...values()].filter(([name, value]) => initial.has(name) && !same(value, initial.get(name)));
    try {
      sessionStorage.setItem(key, JSON.stringify(changed));
    } catch (error) {
      console.warn(`hotshoe: could not keep the values of widgets: ${error.message}`);
    }
  }

  function choices(model) {
    if (model.labels) return model.labels.map((_, at) => at);
    const lists = Array.isArray(model.options) ? [model.options] : Object.values(model.options || {});
    const all = lists.flat().map((option) => Array.isArray(option) ? option[0] : option);
    return all.length > 0 ? all : null;
  }

  function fits(model, attribute, value) {
    const now = model[attribute];
    if (now !== null && value !== null && kind(now) !== kind(value)) return false;
    const known = choices(model);
    const parts = Array.isArray(value) ? value : [value];
    if (known !== null && !parts.every((part) => part === null || part === "" || known.includes(part))) return false;
    const numbers = parts.filter((part) => typeof part === "number");
    const above = (bound) => typeof bound !== "number" || numbers.every((part) => part >= bound);
    const below = (bound) => typeof bound !== "number" || numbers.every((part) => part <= bound);
    return attribute !== "value" || (above(model.start) && below(model.end) && above(model.low) && below(model.high));
  }

  function restore() {
    let kept = [];
    try {
      kept = JSON.parse(sessionStorage.getItem(key) || "[]");
      sessionStorage.removeItem(key);
    } catch (error) {
      console.warn(`hotshoe: could not restore the values of widgets: ${error.message}`);
    }
    const found = widgets();
    const done = new Set();
    for (const [name, value] of kept) {
      const { model, attribute } = found.get(name) || {};
      if (model === undefined || done.has(model) || !fits(model, attribute, value)) continue;
      done.add(model);
      if (!same(model[attribute], value)) model[attribute] = value; // BokehJS sends it to the server
    }
  }

  function begin(tries) {
    const documents = (window.Bokeh && window.Bokeh.documents) || [];
    if (documents.length > 0 && documents.every((doc) => doc.is_idle)) {
      initial = values();
      restore();
    } else if (tries > 0) {
      setTimeout(begin, LOOK_MS, tries - 1);
    }
  }

  // Below the app itself, since a proxy may pass nothing else.
  const own = location.origin.replace(/^http/, "ws") + location.pathname.replace(/\/+$/, "") + "/";

  // Waits longer and longer while the server stays away.
  function follow(wait_ms) {
    const query = new URLSearchParams({ app, version });
    const socket = new WebSocket(`${own}_hotshoe/dev?${query}`);
    const began_ms = performance.now();
    socket.onmessage = (event) => {
      if (event.data !== "changed") return;
      socket.onclose = null;
      keep();
      location.reload();
    };
    // The server was stopped, or is restarting: a new process has a new version.
    socket.onclose = () => {
      const was_steady = performance.now() - began_ms > STEADY_MS;
      setTimeout(follow, wait_ms, was_steady ? RETRY_MS : Math.min(wait_ms * 1.25, RETRY_MOST_MS));
    };
  }

  follow(RETRY_MS);
  begin(TRIES);
})();
