// Shows that the app has failed: to viewers with the error's id in the log, to authors (dev mode) with the traceback.

const FAILURE_STYLE = `
  :host { right: 20px; bottom: 20px; left: auto; max-width: calc(100vw - 40px); }
  [hidden] { display: none !important; }
  .card { display: flex; align-items: flex-start; gap: 12px; padding: 14px 12px 14px 16px; background: var(--surface);
    border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--lift); animation: rise .25s ease-out; }
  .dot { flex: none; width: 8px; height: 8px; margin-top: 6px; border-radius: 50%; background: var(--accent); }
  .text { min-width: 0; flex: 1; }
  h2, p { margin: 0; font-size: inherit; overflow-wrap: anywhere; }
  h2 { font-weight: 600; }
  .about { color: var(--soft); }
  code, pre { font: 12.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
  code { color: var(--ink); user-select: all; }
  button { flex: none; font: inherit; color: var(--soft); background: none; border: 0; border-radius: 7px;
    padding: 3px 9px; margin: -3px 0; cursor: pointer; }
  button:hover { color: var(--ink); background: var(--well); }
  button:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
  .dev { flex-direction: column; align-items: stretch; gap: 0; width: 860px; max-width: 100%; box-sizing: border-box;
    max-height: 70vh; padding: 0; overflow: hidden; }
  .dev .head { display: flex; align-items: flex-start; gap: 12px; padding: 16px 14px 14px 18px; }
  .dev h2 { font-size: 15.5px; color: var(--accent); letter-spacing: -.005em; }
  .dev .about { margin-top: 3px; }
  pre { margin: 0; padding: 14px 18px 16px; overflow: auto; background: var(--well); border-top: 1px solid var(--line);
    color: var(--ink); tab-size: 4; white-space: pre; }
  pre .place { color: var(--soft); }
  pre .raised { color: var(--accent); font-weight: 600; }
  :host([data-whole]) { inset: 16vh 0 auto 0; max-width: none; display: flex; justify-content: center; }
  @keyframes rise { from { opacity: 0; transform: translateY(8px); } }
  @media (max-width: 560px) { :host { right: 12px; bottom: 12px; max-width: calc(100vw - 24px); } }
  @media (prefers-reduced-motion: reduce) { .card { animation: none; } }
`;

class FailureSign extends Sign {
  dismissed = new Set(); // keys of failures that the viewer has dismissed
  shown = null;
  total = 0;

  constructor() {
    super("failure", FAILURE_STYLE);
    this.live = element("div", { role: "status", "aria-live": "polite" });
    this.root.append(this.live);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") this.dismiss(); });
  }

  show(failure) {
    if (this.dismissed.has(failure.key) || this.shown?.id === failure.id) return;
    const again = this.shown?.key === failure.key;
    this.total = (again ? this.total : 0) + failure.count;
    this.shown = failure;
    this.place();
    // If the document could not be sent at all, this is all that the page shows.
    this.host.toggleAttribute("data-whole", !(window.Bokeh?.documents?.length > 0));
    if (again) {
      this.about.replaceChildren(...this.describe(failure));
    } else {
      this.live.replaceChildren(failure.traceback === undefined ? this.notice(failure) : this.overlay(failure));
    }
  }

  dismiss() {
    if (this.shown === null) return;
    this.dismissed.add(this.shown.key);
    this.shown = null;
    this.live.replaceChildren();
  }

  describe({ id, what }) {
    const times = this.total > 1 ? ` · ${this.total} times` : "";
    return [what === undefined ? "Error " : `In ${what} · error `, element("code", {}, id), times];
  }

  text(title, failure) {
    this.about = element("p", { class: "about" }, ...this.describe(failure));
    return element("div", { class: "text" }, element("h2", {}, title), this.about);
  }

  notice(failure) {
    return element("div", { class: "card" }, element("span", { class: "dot" }),
      this.text("Something failed in this app.", failure), sign_button("✕", "Dismiss", () => this.dismiss()));
  }

  overlay(failure) {
    const head = element("div", { class: "head" }, this.text(failure.text, failure));
    if (navigator.clipboard) head.append(sign_button("Copy", "Copy the traceback", () => this.copy(failure)));
    head.append(sign_button("✕", "Dismiss", () => this.dismiss()));
    return element("div", { class: "card dev" }, head, element("pre", { tabindex: "0" }, ...this.lines(failure)));
  }

  lines({ traceback }) {
    const lines = traceback.trimEnd().split("\n");
    return lines.flatMap((line) => {
      const kind = /^(\s+File "|Traceback )/.test(line) ? "place" : /^[A-Za-z_][\w.]*(:|$)/.test(line) ? "raised" : "code";
      return [element("span", { class: kind }, line), "\n"];
    });
  }

  copy({ traceback }) {
    navigator.clipboard.writeText(traceback).catch((error) => console.warn(`hotshoe: ${error.message} copying`));
  }
}

let failure_sign = null;

function show_failure(failure) {
  if (failure_sign === null) failure_sign = new FailureSign();
  failure_sign.show(failure);
}

class TooBigSign extends Sign {
  constructor() {
    super("too-big", FAILURE_STYLE + ".card { max-width: 480px; }");
    this.live = element("div", { role: "alert" });
    this.root.append(this.live);
  }

  show({ title, detail }) {
    this.place();
    const text = element("div", { class: "text" }, element("h2", {}, title), element("p", { class: "about" }, detail));
    this.live.replaceChildren(element("div", { class: "card" }, element("span", { class: "dot" }), text,
      sign_button("✕", "Dismiss", () => this.live.replaceChildren())));
  }
}

let too_big_sign = null;

function show_too_big(bytes, limit) {
  if (too_big_sign === null) too_big_sign = new TooBigSign();
  too_big_sign.show(too_big_words(bytes, limit));
}
