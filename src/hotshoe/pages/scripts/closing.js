// Says why the page has no connection, where the server has a reason: as it closed the websocket, or as it says when
// asked why it refuses one, which no script can read from the handshake.

const TELLING = new Set([1008, 1011, 1013]); // RFC 6455: policy, error, try again later

class ClosedSign extends Sign {
  constructor() {
    super("closed", FAILURE_STYLE + ".card { max-width: 560px; }");
    this.live = element("div", { role: "alert" });
    this.root.append(this.live);
  }

  show(reason) {
    this.place();
    const text = element("div", { class: "text" }, element("h2", {}, "This page is not connected."),
      element("p", { class: "about" }, reason));
    this.live.replaceChildren(element("div", { class: "card" }, element("span", { class: "dot" }), text));
  }

  hide() {
    this.live.replaceChildren();
  }
}

let closed_sign = null;

function show_closed(reason) {
  if (closed_sign === null) closed_sign = new ClosedSign();
  closed_sign.show(reason);
}

// The URL of a socket's app, below `base`.
function app_of(socket, base) {
  const root = new URL(base, document.baseURI).pathname;
  const path = new URL(socket.url).pathname;
  return path.startsWith(root) ? decodeURIComponent("/" + path.slice(root.length).replace(/\/?ws$/, "")) : "";
}

// Looks after one socket of BokehJS. `base` is where the server is.
function follow_closing(socket, base) {
  let has_opened = false;
  socket.addEventListener("open", () => {
    has_opened = true;
    if (closed_sign !== null) closed_sign.hide();
  });
  socket.addEventListener("close", (event) => {
    if (has_opened) {
      if (TELLING.has(event.code) && event.reason) show_closed(event.reason);
      return;
    }
    fetch(`${base}_hotshoe/refusal?${new URLSearchParams({ origin: location.origin, app: app_of(socket, base) })}`)
      .then((answer) => answer.ok ? answer.json() : {})
      .then(({ refusal }) => { if (refusal) show_closed(refusal); })
      .catch(() => undefined); // the server is not to be reached: it has nothing to say
  });
}
