// Shows that the app has added nothing to its page, until it does; authors (dev mode) see the usual reasons.

const BLANK_STYLE = `
  :host { inset: 16vh 0 auto 0; max-width: none; display: flex; justify-content: center; }
  .card { animation: none; max-width: min(640px, calc(100vw - 40px)); box-sizing: border-box; }
  ul { margin: 8px 0 0; padding: 0 0 0 18px; color: var(--soft); }
  li { margin-top: 4px; overflow-wrap: anywhere; }
`;

class BlankSign extends Sign {
  constructor() {
    super("blank", FAILURE_STYLE + BLANK_STYLE);
    this.live = element("div", { role: "status" });
    this.root.append(this.live);
  }

  show(reasons) {
    this.place();
    const text = element("div", { class: "text" }, element("h2", {}, "This page is empty."),
      element("p", { class: "about" }, `The app has added nothing to it so far. ${
        reasons.length > 0 ? "Usual reasons:" : "The server's log says more."}`));
    if (reasons.length > 0) text.append(element("ul", {}, ...reasons.map((reason) => element("li", {}, reason))));
    this.live.replaceChildren(element("div", { class: "card" }, element("span", { class: "dot" }), text));
  }
}

let blank_sign = null;

// `blank` has the reasons, or is false once there is something to see.
function show_blank(blank) {
  if (blank_sign === null) blank_sign = new BlankSign();
  if (blank) blank_sign.show(blank.reasons); else blank_sign.host.remove();
}
