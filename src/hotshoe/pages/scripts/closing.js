// Shows the server's reason when the page has no connection. The reason is in the close frame, or for a refused
// websocket in a separate request, since scripts cannot read the response to a handshake.

const TELLING = new Set([1008, 1011, 1013]); // RFC 6455: policy, error, try again later
const UNKNOWN_REASON = "The connection to its server could not be opened, although the page itself was loaded. Perhaps "
  + "a proxy does not pass websockets. The server's operator can check with hotshoe doctor and this page's address.";

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
let was_connected = false; // if it was, the server may only be away for a moment

function show_closed(reason) {
  if (closed_sign === null) closed_sign = new ClosedSign();
  closed_sign.show(reason);
}

// The URL for the reason of a refused socket.
function reasons_of(socket) {
  const url = new URL(socket.url.replace(/^ws/, "http"));
  const query = new URLSearchParams({ origin: location.origin });
  return `${url.origin}${url.pathname.replace(/\/?ws$/, "/")}_hotshoe/refusal?${query}`;
}

// Shows the sign when one socket of BokehJS closes, and hides it when it opens.
function follow_closing(socket) {
  let has_opened = false;
  socket.addEventListener("open", () => {
    has_opened = was_connected = true;
    if (closed_sign !== null) closed_sign.hide();
  });
  socket.addEventListener("close", (event) => {
    if (has_opened) {
      if (TELLING.has(event.code) && event.reason) show_closed(event.reason);
      return;
    }
    fetch(reasons_of(socket))
      .then((answer) => answer.ok ? answer.json() : {})
      .catch(() => ({})) // there is no reason
      .then(({ refusal }) => {
        if (refusal || !was_connected) show_closed(refusal || UNKNOWN_REASON);
      });
  });
}
