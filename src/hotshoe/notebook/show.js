// Run in a cell's output: finds the way to the kernel's server, and puts a frame with the app into the output.
//
// The way is the Jupyter server's own address (jupyter-server-proxy), wherever the browser found that; or, without it,
// the kernel's port, if browser and kernel are on one machine.
(function (plan) {
  const START_HEIGHT = 400;
  const WAIT_MS = 20000;
  const INSTALL = "pip install jupyter-server-proxy";

  const here = document.currentScript ? document.currentScript.parentElement
    : document.querySelector(`.hotshoe-app[data-session="${plan.session}"]`);
  const query = `?${new URLSearchParams({ "bokeh-session-id": plan.session })}`;

  function element(tag, style, text) {
    const made = document.createElement(tag);
    made.style.cssText = style;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // -- the way ------------------------------------------------------------------------------------------------------

  // Where the Jupyter server is: what the page says, else what comes before the name of a view; null in no such page.
  function jupyter() {
    const config = document.getElementById("jupyter-config-data");
    let base = document.body.dataset.baseUrl;
    try {
      base = (config && JSON.parse(config.textContent).baseUrl) || base;
    } catch (error) {
      console.warn(`hotshoe: ${error.message} reading where Jupyter is`);
    }
    if (!base) base = (/^(.*?\/)(lab|notebooks|tree|doc|nbclassic|voila)(\/|$)/.exec(location.pathname) || [])[1];
    return base && location.protocol.startsWith("http") ? new URL(base.replace(/\/*$/, "/"), location.href).href : null;
  }

  const is_local = () => !location.protocol.startsWith("http")
    || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/.test(location.hostname);

  // The status of an address, 0 if nothing answers; whether it is our app that does. No session begins by it.
  async function ask(url) {
    try {
      const answer = await fetch(url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) });
      const type = answer.headers.get("content-type") || "";
      return { status: answer.status, ours: answer.ok && type.includes("javascript") };
    } catch (error) {
      return { status: 0, ours: false };
    }
  }

  // The app's address, or what to tell the user.
  async function find() {
    const base = jupyter();
    const ways = [];
    if (base) ways.push(`${base}proxy/${plan.port}${plan.path}`);
    if (is_local()) ways.push(`http://127.0.0.1:${plan.port}${plan.path}`);
    let proxied = false;
    for (const url of ways) {
      const { status, ours } = await ask(`${url}/autoload.js${query}&bokeh-autoload-element=none`);
      if (ours) return { url };
      // A proxy says of a port on which nobody listens that it fails; without one there is no such page.
      proxied ||= url.includes("/proxy/") && status > 404;
    }
    return { proxied, url: null };
  }

  // -- the frame ----------------------------------------------------------------------------------------------------

  function frame_of(url) {
    const frame = element("iframe", "display:block;width:100%;border:0;background:#fff;color-scheme:light");
    frame.title = "App";
    frame.allow = "clipboard-read; clipboard-write; fullscreen";
    frame.style.height = `${plan.height || START_HEIGHT}px`;
    if (!plan.height) frame.addEventListener("load", () => follow(frame));
    frame.src = url + query;
    return frame;
  }

  // Each page that the frame loads gets a port to tell its height by, wherever it comes from.
  function follow(frame) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      if (Number.isFinite(data) && data > 0) frame.style.height = `${Math.ceil(data)}px`;
    };
    frame.contentWindow.postMessage("hotshoe:height", "*", [port2]);
  }

  function note_of({ proxied }) {
    const note = element("div", "margin:4px 0;padding:12px 16px;border:1px solid #c2410c;border-radius:8px;" +
      "font:14px/1.5 system-ui,sans-serif;color:#1c1d1f;background:#fff7ed");
    note.setAttribute("role", "alert");
    note.append(element("strong", "", "The app can't be reached. "), "If its kernel has ended, run the cell again. ");
    if (!proxied) {
      note.append("If not: this Jupyter server has no way to it yet. Run ", element("code", "", INSTALL),
        " where the Jupyter server is installed, and start it again. ");
    }
    const again = element("button", "font:inherit;cursor:pointer", "Try again");
    again.addEventListener("click", show);
    note.append(again);
    return note;
  }

  async function show() {
    here.replaceChildren(element("div", "color:gray;font:14px/1.5 system-ui,sans-serif", "Looking for the app …"));
    const found = await find();
    here.replaceChildren(found.url === null ? note_of(found) : frame_of(found.url));
  }

  show();
})
