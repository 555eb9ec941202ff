// Says why the page has no connection, where the server has a reason: as it closed the websocket, or as it says when
// asked why it refuses one, which no script can read from the handshake.

const TELLING = new Set([1008, 1011, 1013]); // RFC 6455: policy, error, try again later
const UNKNOWN_REASON = "The connection to its server could not be opened, though the page itself came. A proxy between "
  + "them may not pass websockets on: whoever runs the server finds out by hotshoe doctor and this page's address.";

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
let was_connected = false; // later the server may just be away, and comes back

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
      .catch(() => ({})) // it has nothing to say
      .then(({ refusal }) => {
        if (refusal || !was_connected) show_closed(refusal || UNKNOWN_REASON);
      });
  });
}
