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

// Where the server says why it refuses a socket.
function reasons_of(socket) {
  const url = new URL(socket.url.replace(/^ws/, "http"));
  const query = new URLSearchParams({ origin: location.origin });
  return `${url.origin}${url.pathname.replace(/\/?ws$/, "/")}_hotshoe/refusal?${query}`;
}

// Looks after one socket of BokehJS.
function follow_closing(socket) {
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
    fetch(reasons_of(socket))
      .then((answer) => answer.ok ? answer.json() : {})
      .then(({ refusal }) => { if (refusal) show_closed(refusal); })
      .catch(() => undefined); // the server is not to be reached: it has nothing to say
  });
}
