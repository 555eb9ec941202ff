// Shows a session in an element of the page, with its own socket and views, and removes them again.

class Shown {
  constructor(session, views) {
    this.session = session;
    this.views = views;
  }

  get document() {
    return this.session.document;
  }

  // The socket first, so that the server gets no changes of the rest.
  close() {
    this.session.close();
    this.views.clear();
    const { documents } = window.Bokeh;
    const at = documents.indexOf(this.document);
    if (at >= 0) documents.splice(at, 1);
  }
}

const root_views = (views) => [...views].filter((view) => view.el && view.el.isConnected);

// `only` is the id of the root to show; the others are drawn outside of the page.
async function show_session(plan, place, only = null) {
  const { Bokeh } = window;
  const absolute_url = plan.absolute_url === null ? undefined : plan.absolute_url; // BokehJS expects undefined
  const url = Bokeh.require("embed/server")._get_ws_url(plan.app_path, absolute_url);
  let session;
  try {
    session = await Bokeh.require("client/connection").pull_session(url, plan.token, plan.query);
  } catch (error) {
    throw trouble_of_socket(error);
  }
  guard_sending(session._connection, plan.max_message_bytes || 0, (bytes, limit) => show_too_big(place, bytes, limit));
  const roots = session.document.all_roots || session.document.roots();
  const places = only === null ? [] : roots.map((root) => (root.id === only ? place : document.createElement("div")));
  if (only !== null && !places.includes(place)) {
    session.close();
    throw new Trouble("This session has no root with this id.", only, { again: false });
  }
  tell_if_blank(session.document, place);
  return new Shown(session, await Bokeh.embed.add_document_standalone(session.document, place, places, false));
}

// RFC 6455: the server goes away, restarts, or has no room.
const PASSING = ["1001", "1012", "1013"];

// The server's reply is the error's id, or in dev mode the error itself.
function trouble_of_socket(error) {
  const [, reply] = /^Error reply (.*)$/s.exec(error.message || "") || [];
  if (reply !== undefined) {
    const [, error_id] = /^Something failed in this app\. Error ([0-9a-f]+)$/.exec(reply) || [];
    return new Trouble("Something failed in this app.", error_id ? "" : reply, { error_id });
  }
  const [, code, reason] = /^Lost websocket connection, (\d+) \((.*)\)$/.exec(error.message || "") || [];
  return new Trouble("The app's connection could not be opened.",
    reason || "Its websocket was refused, or a proxy does not pass websockets.",
    { passes: PASSING.includes(code) });
}

// A connection has a new socket whenever it connects again.
function guard_sending(connection, limit, refused) {
  let guarded = null;
  const send = connection.send.bind(connection);
  connection.send = (message) => {
    if (connection.socket !== guarded) {
      guarded = connection.socket;
      new Sending(guarded, limit, { refused });
    }
    send(message);
  };
}

function show_too_big(place, bytes, limit) {
  const { title, detail } = too_big_words(bytes, limit);
  const host = made("div", place.slot ? { slot: place.slot } : {});
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [notice_sheet()];
  shadow.append(trouble_notice(host, new Trouble(title, detail), () => host.remove(), "", "Dismiss"));
  place.before(host);
  console.error(`Bokeh: ${title} ${detail}`);
}

const BLANK_MS = 2500; // an app may fill its document later

function tell_if_blank(document, place) {
  if (document.roots().length > 0) return;
  const host = made("div", place.slot ? { slot: place.slot } : {});
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [notice_sheet()];
  const look = () => {
    if (document.roots().length > 0) host.remove();
    else if (place.isConnected) shadow.replaceChildren(trouble_notice(place, new Trouble(
      "This app shows nothing.", "It has added nothing to its document so far. The server's log says more.")));
  };
  document.on_change(() => { if (document.roots().length > 0) host.remove(); });
  setTimeout(look, BLANK_MS);
  place.before(host);
}
