// Sends a message of BokehJS as a whole, or not at all if the server does not take messages of its size: the server
// would close the connection. Instead the page says so, and a small message tells the server, for its log.

const TOO_BIG = 1009; // RFC 6455
const BROKEN = 1006; // what the browser says if there was no close frame
const LARGE = 2 ** 20; // if the connection breaks while so much is sent, perhaps it was too much
let untold = null; // what was too large for the server of a socket that is closed now

const size_of = (data) => typeof data === "string" ? new Blob([data]).size : data.byteLength ?? data.size;
const in_mb = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

// A limit of 0 is unknown; with null, nobody has said that there is one.
function too_big_words(bytes, limit) {
  if (limit === null) {
    return {
      title: "This upload did not arrive.",
      detail: `The connection broke while ${in_mb(bytes)} were sent. Perhaps a server or proxy takes less at once.`,
    };
  }
  const most = limit ? `at most ${in_mb(limit)} (a file of about ${in_mb(limit * 0.74)})` : "no message of this size";
  return {
    title: "This upload is too large.",
    detail: `It needs ${in_mb(bytes)}, and the server takes ${most}. The app has not received it.`,
  };
}

class Sending {
  parts = [];
  bytes = 0; // of the message that is being sent
  largest = 0; // of all messages; the server's close may come after another one
  header = null;
  unanswered = null; // a large message

  // Calls `sent(header)` for each message, and `refused(bytes, limit)` if one is too large. A limit of 0 is unknown.
  // With `hears_replies`, `answered` is called for each reply.
  constructor(socket, limit, { sent = () => undefined, refused, hears_replies = false }) {
    this.hears_replies = hears_replies;
    this.limit = limit;
    this.sent = sent;
    this.refused = refused;
    this.send = socket.send.bind(socket);
    Object.defineProperty(socket, "send", { value: (data) => this.take(data), writable: true, configurable: true });
    const tell = () => { if (untold !== null) this.tell(untold); };
    if (socket.readyState === WebSocket.OPEN) tell(); else socket.addEventListener("open", tell);
    socket.addEventListener("close", ({ code, reason }) => this.closed(code, reason));
  }

  take(data) {
    if (this.parts.length === 0) this.begin(data);
    if (this.header === null) return this.send(data);
    this.parts.push(data);
    this.bytes += size_of(data);
    if (this.parts.length === 3 + 2 * (this.header.num_buffers || 0)) this.finish();
    return undefined;
  }

  begin(data) {
    this.bytes = 0;
    try {
      this.header = JSON.parse(data);
    } catch (error) {
      this.header = null; // it is not a message of Bokeh
    }
  }

  finish() {
    const { parts } = this;
    this.parts = [];
    if (this.limit && this.bytes > this.limit) {
      this.tell({ bytes: this.bytes, limit: this.limit });
      this.refused(this.bytes, this.limit);
      return;
    }
    this.largest = Math.max(this.largest, this.bytes);
    if (this.bytes > LARGE) this.unanswered = this.header.msgid;
    this.sent(this.header);
    for (const part of parts) this.send(part);
  }

  // The reply to a message has come.
  answered(msgid) {
    if (msgid === this.unanswered) this.unanswered = null;
  }

  // The server, or one in front of it, may have a smaller limit than we know.
  closed(code, reason) {
    if (code !== TOO_BIG && !(code === BROKEN && this.unanswered !== null && this.hears_replies)) return;
    const limit = Number((/limit of (\d+) bytes/.exec(reason) || [])[1]) || 0;
    untold = { bytes: this.largest, limit };
    this.refused(this.largest, code === TOO_BIG ? limit : null);
  }

  tell(data) {
    untold = null;
    const header = { msgid: `too-big-${Date.now()}`, msgtype: "PATCH-DOC" };
    const event = { kind: "MessageSent", msg_type: "hotshoe:too-big", msg_data: data };
    for (const part of [header, {}, { events: [event] }]) this.send(JSON.stringify(part));
  }
}
