// <bokeh-app src="/sliders">: an app in any page. Its notices are in a shadow root; the app is in a slotted child, so
// that scripts of the page find the app's elements in the document.
//
// Attributes: src (the app's address; its query, the app's arguments), with-credentials, headers (JSON),
// resources="none".
// Events: "bokeh-load" when the app is drawn (detail.document), "bokeh-error" when it can't be (detail.title, .detail).

const HOST_STYLE = `
  :host { display: block; width: 100%; min-width: 0; box-sizing: border-box; }
  :host([hidden]) { display: none; }
`;
const FIRST_RETRY_S = 2;
const LAST_RETRY_S = 60;
const SLOW_S = 10;
const SRC_WAIT_MS = 1000;
const SOME_HEIGHT = "var(--bokeh-app-height, 400px)";
const STRETCHES = /^(stretch|scale)_(both|height)$/;

class BokehApp extends HTMLElement {
  static observedAttributes = ["src", "with-credentials", "headers", "resources"];

  #turn = null; // the current load, as {abort, …}; if it is another object, a load is out of date
  #shown = null;
  #place = null;
  #failures = 0;
  #timer = 0;
  #due = false;
  #waits_for_login = false;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [notice_sheet(HOST_STYLE)];
    this.notices = made("div", {});
    shadow.append(this.notices, made("slot", { name: "bokeh-app" }));
  }

  connectedCallback() {
    window.addEventListener("focus", this.#on_return);
    window.addEventListener("online", this.#on_return);
    this.#update();
  }

  // Frameworks move elements: an element that returns at once was not removed.
  disconnectedCallback() {
    window.removeEventListener("focus", this.#on_return);
    window.removeEventListener("online", this.#on_return);
    setTimeout(() => { if (!this.isConnected) this.#end(); });
  }

  attributeChangedCallback(name, before, after) {
    if (before !== after && this.isConnected) this.#update(true);
  }

  reload() {
    this.#failures = 0;
    this.#start();
  }

  // Several attributes may change at once.
  #update(anew = false) {
    if (this.#due || (!anew && this.#turn !== null)) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.reload();
    });
  }

  #on_return = () => {
    if (this.#timer || this.#waits_for_login) this.reload();
  };

  #end() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#turn !== null) this.#turn.abort.abort();
    this.#turn = null;
    this.#clear();
    this.notices.replaceChildren();
    this.removeAttribute("aria-busy");
  }

  #clear() {
    try {
      if (this.#shown !== null) this.#shown.close();
    } catch (error) {
      console.error(`Bokeh: ${error.message} closing an app`);
    }
    if (this.#place !== null) this.#place.remove();
    this.#shown = this.#place = null;
  }

  async #start() {
    this.#end();
    const turn = this.#turn = { abort: new AbortController() };
    this.#waits_for_login = false;
    this.setAttribute("aria-busy", "true");
    const wait = waiting_notice(this.parentElement || this);
    this.notices.replaceChildren(wait);
    const slow = setTimeout(() => {
      wait.querySelector(".words").textContent = SLOW_WORDS;
    }, SLOW_S * 1000);
    try {
      await this.#load(turn);
    } catch (error) {
      if (turn === this.#turn) this.#fail(error);
    } finally {
      clearTimeout(slow);
    }
  }

  async #load(turn) {
    // Frameworks may set it a moment later, which starts a new load.
    if (!this.hasAttribute("src")) await new Promise((resolve) => setTimeout(resolve, SRC_WAIT_MS));
    if (turn !== this.#turn) return;
    const app = new AppAddress(this.getAttribute("src"));
    const plan = await ask_for_plan(app, this.#options(), turn.abort.signal);
    if (turn !== this.#turn) return;
    await load_all(plan, script_nonce);
    if (turn !== this.#turn) return;
    const place = made("div", { slot: "bokeh-app" });
    Object.assign(place.style, { display: "flow-root", width: "100%", height: "100%" });
    this.append(place);
    try {
      const shown = await show_session({ ...plan, query: app.query }, place);
      if (turn !== this.#turn) { shown.close(); return; }
      this.#shown = shown;
      this.#place = place;
    } finally {
      if (this.#place !== place) place.remove();
    }
    this.#ready();
  }

  #options() {
    const with_credentials = this.hasAttribute("with-credentials");
    const given = this.getAttribute("headers");
    let headers = {};
    try {
      headers = given ? JSON.parse(given) : {};
    } catch (error) {
      const detail = `Its attribute "headers" is not JSON: ${error.message}`;
      throw new Trouble("This app can't be requested.", detail, { again: false });
    }
    return { headers, with_credentials, resources: this.getAttribute("resources") !== "none" };
  }

  #ready() {
    this.#failures = 0;
    this.notices.replaceChildren();
    this.removeAttribute("aria-busy");
    const { document: bokeh_document, views } = this.#shown;
    // An app that fills the height of its container needs a container with a height.
    const fills = bokeh_document.roots().some((root) => STRETCHES.test(root.sizing_mode || ""));
    if (fills && this.#place.clientHeight < 100 && !has_own_height(this)) {
      this.#place.style.height = SOME_HEIGHT;
    }
    this.dispatchEvent(new CustomEvent("bokeh-load", { detail: { document: bokeh_document, views } }));
  }

  #fail(error) {
    const trouble = error instanceof Trouble ? error : new Trouble("This app could not be shown.", error.message);
    this.#clear();
    this.removeAttribute("aria-busy");
    this.#waits_for_login = Boolean(trouble.login);
    const wait_s = trouble.passes ? this.#next_wait(trouble.after_s) : 0;
    if (wait_s) this.#timer = setTimeout(() => this.#start(), wait_s * 1000);
    const soon = wait_s ? `or wait: the next attempt is in ${Math.round(wait_s)} s.` : "";
    this.notices.replaceChildren(trouble_notice(this.parentElement || this, trouble, () => this.reload(), soon));
    console.error(`Bokeh: ${trouble.message}`);
    this.dispatchEvent(new CustomEvent("bokeh-error", { detail: { title: trouble.title, detail: trouble.detail } }));
  }

  // Random, so that not all pages connect to a restarted server in the same second.
  #next_wait(after_s = 0) {
    const wait_s = Math.min(FIRST_RETRY_S * 2 ** this.#failures++, LAST_RETRY_S);
    return Math.max(after_s, wait_s * (0.8 + 0.4 * Math.random()));
  }
}

// Whether the element's height comes from the page, not from its content: then it has a height without content.
function has_own_height(element) {
  const children = [...element.children];
  const shown = children.map((child) => child.style.display);
  for (const child of children) child.style.display = "none";
  const height = element.clientHeight;
  children.forEach((child, index) => { child.style.display = shown[index]; });
  return height > 0;
}

const script_nonce = (document.currentScript || document.querySelector("script[nonce]") || {}).nonce || "";

if (!customElements.get("bokeh-app")) customElements.define("bokeh-app", BokehApp);
