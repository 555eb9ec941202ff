// The notices in the place of an embedded app: that it is loading, or why it failed.

const NOTICE_STYLE = `
  :host { --surface: #fff; --ink: #1c1d1f; --soft: #5d6066; --line: #e2e2de; --accent: #c2410c; --well: #f6f6f4; }
  .dark { --surface: #1d1f22; --ink: #ecedee; --soft: #a0a4ab; --line: #34373c; --accent: #fb923c; --well: #2a2d31;
    color-scheme: dark; }
  .notice { all: initial; display: flex; box-sizing: border-box; width: 100%; min-height: 132px; align-items: center;
    justify-content: center; padding: 20px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px;
    font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); }
  .wait { gap: 12px; color: var(--soft); background: none; border-style: dashed; animation: appear .3s .25s both; }
  .ring { flex: none; width: 16px; height: 16px; box-sizing: border-box; border: 2px solid var(--line);
    border-top-color: var(--accent); border-radius: 50%; animation: turn .9s linear infinite; }
  .body { display: flex; flex-direction: column; max-width: 60ch; min-width: 0; }
  .title { margin: 0; font-size: 15px; font-weight: 600; letter-spacing: -.005em; }
  .detail { margin: 4px 0 0; color: var(--soft); overflow-wrap: anywhere; white-space: pre-line; }
  .detail code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--ink);
    background: var(--well); border-radius: 5px; padding: 1px 5px; user-select: all; display: inline-block;
    max-width: 100%; box-sizing: border-box; }
  .acts { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 14px; margin-top: 14px; }
  .acts > * { font: inherit; font-weight: 500; padding: 5px 13px; border-radius: 8px; border: 1px solid var(--line);
    color: var(--ink); background: var(--well); cursor: pointer; text-decoration: none; }
  .acts > .main { color: #fff; background: #c2410c; border-color: #c2410c; }
  .acts > *:hover { border-color: var(--accent); }
  .acts > *:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .acts > .soon { padding: 0; border: 0; background: none; color: var(--soft); font-weight: 400; cursor: default; }
  @keyframes turn { to { transform: rotate(1turn); } }
  @keyframes appear { from { opacity: 0; } }
  @media (prefers-reduced-motion: reduce) { .ring { animation-duration: 4s; } .wait { animation: none; } }
  @media print { .notice { display: none; } }
`;

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function notice_sheet(more = "") {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(NOTICE_STYLE + more);
  return sheet;
}

// Whether the background of an element is dark, independently of the system's setting.
function is_on_dark(element) {
  for (let place = element; place; place = place.parentElement || (place.getRootNode() || {}).host) {
    const numbers = (getComputedStyle(place).backgroundColor.match(/[\d.]+/g) || []).map(Number);
    const [red, green, blue, alpha = 1] = numbers;
    if (alpha > 0.5 && blue !== undefined) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  return scheme.includes("dark") && (!scheme.includes("light") || matchMedia("(prefers-color-scheme: dark)").matches);
}

const notice_class = (kind, around) => `notice ${kind}${is_on_dark(around) ? " dark" : ""}`;

function waiting_notice(around) {
  return made("div", { class: notice_class("wait", around), role: "status" },
    made("span", { class: "ring", "aria-hidden": "true" }), made("span", { class: "words" }, "Loading the app…"));
}

// `retry` is the action of the button, `label` its text; `soon` is a text about the next automatic attempt.
function trouble_notice(around, trouble, retry = null, soon = "", label = "Try again") {
  const { title, detail, error_id, flag, login } = trouble;
  const body = made("div", { class: "body" }, made("p", { class: "title" }, title));
  const add = (...words) => body.append(made("p", { class: "detail" }, ...words));
  if (detail) add(detail);
  if (error_id) add("Its id in the server's log is ", made("code", {}, error_id), ".");
  if (flag) add("The server's operator can allow it with ", made("code", {}, flag));
  const acts = made("div", { class: "acts" });
  if (login) acts.append(made("a", { class: "main", href: login, target: "_blank", rel: "noopener" }, "Log in"));
  if (retry !== null && trouble.again) {
    const button = made("button", { type: "button" }, label);
    button.addEventListener("click", () => retry());
    acts.append(button);
  }
  if (soon) acts.append(made("span", { class: "soon" }, soon));
  if (acts.childElementCount) body.append(acts);
  return made("div", { class: notice_class("trouble", around), role: "alert" }, body);
}
