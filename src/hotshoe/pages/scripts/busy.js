// Shows a thin line at the top of the page while the app is busy: the server tells it, or a reply is late.

const LATE_MS = 300;
const LINGER_MS = 200; // against flickering between two callbacks
const SAID_MS = 1500; // until screen readers announce it

const BUSY_STYLE = `
  :host { inset: 0 0 auto 0; height: var(--hotshoe-busy-height, 3px); pointer-events: none; overflow: hidden;
    opacity: 0; transition: opacity .25s; }
  :host([data-on]) { opacity: 1; }
  .line { height: 100%; width: 40%; border-radius: 0 99px 99px 0; visibility: hidden;
    background: linear-gradient(90deg, transparent, var(--hotshoe-busy-color, var(--accent)) 60%); }
  :host([data-on]) .line { visibility: visible; animation: run 1.6s cubic-bezier(.45, .1, .4, .95) infinite; }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  @keyframes run { from { transform: translateX(-100%); } to { transform: translateX(250%); } }
  @media (prefers-reduced-motion: reduce) {
    :host { transition: none; }
    .line { width: 100%; border-radius: 0; background: var(--hotshoe-busy-color, var(--accent)); opacity: .6; }
    :host([data-on]) .line { animation: none; }
  }
`;

class BusySign extends Sign {
  busy = new Set();
  hiding = null;
  saying = null;

  constructor() {
    super("busy", BUSY_STYLE);
    this.said = element("span", { class: "said", role: "status", "aria-live": "polite" });
    this.root.append(element("div", { class: "line" }), this.said);
  }

  set(who, is_busy) {
    if (this.busy.has(who) === is_busy) return;
    if (is_busy) this.busy.add(who); else this.busy.delete(who);
    clearTimeout(this.hiding);
    this.hiding = null;
    if (this.busy.size > 0) this.show(); else this.hiding = setTimeout(() => this.hide(), LINGER_MS);
  }

  show() {
    if (this.host.hasAttribute("data-on")) return;
    this.place();
    this.host.setAttribute("data-on", "");
    this.saying = setTimeout(() => { this.said.textContent = "Working…"; }, SAID_MS);
  }

  hide() {
    this.host.removeAttribute("data-on");
    clearTimeout(this.saying);
    this.said.textContent = "";
  }
}

let busy_sign = null;

// The replies that one socket waits for: each change that the page sends gets one.
class Waiting {
  is_busy = false; // by the server's messages
  changes = new Map(); // id -> time of sending, oldest first
  timer = null;

  sent({ msgid, msgtype }) {
    if (msgtype !== "PATCH-DOC") return;
    this.changes.set(msgid, performance.now());
    if (this.changes.size === 1) this.look();
  }

  answered(msgid) {
    if (this.changes.delete(msgid)) this.look();
  }

  told(is_busy) {
    this.is_busy = is_busy;
    this.look();
  }

  end() {
    this.changes.clear();
    this.told(false);
  }

  look() {
    clearTimeout(this.timer);
    const [oldest = Infinity] = this.changes.values();
    const left = oldest + LATE_MS - performance.now();
    if (left > 0 && left < Infinity) this.timer = setTimeout(() => this.look(), left);
    const shown = (this.is_busy || left <= 0) && window._hotshoe?.busy_sign !== false;
    if (shown && busy_sign === null) busy_sign = new BusySign();
    if (busy_sign !== null) busy_sign.set(this, shown);
  }
}
