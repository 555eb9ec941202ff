// The elements that hotshoe itself shows in a page. Each has a shadow root, so that its styles and the app's do not
// affect each other; a strict content security policy allows all of it.

const SIGN_STYLE = `
  :host { all: initial; position: fixed; z-index: 2147483000; color-scheme: light;
    --surface: #fff; --ink: #1c1d1f; --soft: #5d6066; --line: #e2e2de; --accent: #c2410c; --well: #f6f6f4;
    --lift: 0 1px 2px rgb(0 0 0 / 6%), 0 8px 28px rgb(0 0 0 / 12%);
    font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); }
  :host([data-theme="dark"]) { color-scheme: dark;
    --surface: #1d1f22; --ink: #ecedee; --soft: #a0a4ab; --line: #34373c; --accent: #fb923c; --well: #141517;
    --lift: 0 1px 2px rgb(0 0 0 / 40%), 0 8px 28px rgb(0 0 0 / 50%); }
  @media print { :host { display: none; } }
`;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function sign_button(label, title, act) {
  const made = element("button", { type: "button", title, "aria-label": title }, label);
  made.addEventListener("click", () => act());
  return made;
}

// Whether the page is dark, independently of the system: an app without a theme is always white.
function is_dark() {
  for (const place of [document.body, document.documentElement]) {
    const [red, green, blue, alpha = 1] = (getComputedStyle(place).backgroundColor.match(/[\d.]+/g) || []).map(Number);
    if (alpha > 0.5 && blue !== undefined) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  return scheme.includes("dark") && (!scheme.includes("light") || matchMedia("(prefers-color-scheme: dark)").matches);
}

class Sign {
  constructor(name, style) {
    this.host = element("div", { class: `hotshoe-${name}` });
    this.root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SIGN_STYLE + style);
    this.root.adoptedStyleSheets = [sheet];
  }

  // The app may have replaced the body, or changed its theme, since the last call.
  place() {
    this.host.dataset.theme = is_dark() ? "dark" : "light";
    if (this.host.parentNode !== document.body) document.body.append(this.host);
  }
}
