// Run in a cell's output: finds the address of the kernel's server, and puts a frame with the app into the output.
//
// The address is below that of the Jupyter server (jupyter-server-proxy) or, without that package, at the kernel's
// port, if browser and kernel are on one machine.
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

  // The address of the Jupyter server: from the page, else the path before the name of a view; null in other pages.
  function jupyter() {
    const config = document.getElementById("jupyter-config-data");
    let base = document.body.dataset.baseUrl;
    try {
      base = (config && JSON.parse(config.textContent).baseUrl) || base;
    } catch (error) {
      console.warn(`hotshoe: can't read the address of Jupyter: ${error.message}`);
    }
    if (!base) base = (/^(.*?\/)(lab|notebooks|tree|doc|nbclassic|voila)(\/|$)/.exec(location.pathname) || [])[1];
    return base && location.protocol.startsWith("http") ? new URL(base.replace(/\/*$/, "/"), location.href).href : null;
  }

  const is_local = () => !location.protocol.startsWith("http")
    || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/.test(location.hostname);

  // The status of an address, 0 if nothing answers, and whether our app answers. This begins no session.
  async function ask(url) {
    try {
      const response = await fetch(url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) });
      const type = response.headers.get("content-type") || "";
      return { status: response.status, ours: response.ok && type.includes("javascript") };
    } catch (error) {
      return { status: 0, ours: false };
    }
  }

  // The app's address. Without one, whether jupyter-server-proxy is there.
  async function find() {
    const base = jupyter();
    const ways = [];
    if (base) ways.push(`${base}proxy/${plan.port}${plan.path}`);
    if (is_local()) ways.push(`http://127.0.0.1:${plan.port}${plan.path}`);
    let proxied = false;
    for (const url of ways) {
      const { status, ours } = await ask(`${url}/autoload.js${query}&bokeh-autoload-element=none`);
      if (ours) return { url };
      // jupyter-server-proxy answers with an error for a port without a server; without it there is no such page.
      proxied ||= url.includes("/proxy/") && status > 404;
    }
    return { proxied, url: null };
  }

  function frame_of(url) {
    const frame = element("iframe", "display:block;width:100%;border:0;background:#fff;color-scheme:light");
    frame.title = "App";
    frame.allow = "clipboard-read; clipboard-write; fullscreen";
    frame.style.height = `${plan.height || START_HEIGHT}px`;
    if (!plan.height) frame.addEventListener("load", () => follow(frame));
    frame.src = url + query;
    return frame;
  }

  // Each page in the frame, from any address, gets a port through which it sends its height.
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
      note.append("If its kernel runs, install jupyter-server-proxy: run ", element("code", "", INSTALL),
        " where the Jupyter server is installed, and restart the Jupyter server. ");
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
