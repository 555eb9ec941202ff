// `autoload.js`: shows one session in its element. A script element is replaced by a new element, as bokeh does.

async function until_parsed() {
  if (document.readyState !== "loading") return;
  await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
}

async function place_of(element_id) {
  if (document.getElementById(element_id) === null) await until_parsed();
  const element = document.getElementById(element_id);
  if (element === null) {
    console.error(`Bokeh: this page has no element with the id ${element_id} for an app`);
    return null;
  }
  if (element.tagName !== "SCRIPT") return element;
  const place = document.createElement("div");
  place.dataset.bokehRoot = element.dataset.bokehRoot || "";
  element.replaceWith(place);
  return place;
}

// The URL of a reference relative to `autoload.js`, if it is http or https.
function login_url({ login, app_path, absolute_url }) {
  if (!login) return undefined;
  const app = new URL(absolute_url || app_path, document.baseURI);
  const url = new URL(login, app.href.replace(/\/*$/, "/autoload.js"));
  return /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function show_trouble(place, trouble) {
  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [notice_sheet()];
  place.append(host);
  shadow.append(trouble_notice(host, trouble));
  console.error(`Bokeh: ${trouble.message}`);
}

async function autoload(plan, nonce) {
  const place = await place_of(plan.elementid) || (plan.error ? document.body : null);
  if (place === null) return;
  try {
    const { error, detail, error_id, flag } = plan;
    if (error) throw new Trouble(error, detail, { error_id, flag, login: login_url(plan) });
    if (plan.starting) plan = await until_started(plan, place);
    await load_all(plan, nonce);
    await show_session({ ...plan, query: location.search.slice(1) }, place, place.dataset.bokehRoot || null);
  } catch (error) {
    show_trouble(place, error instanceof Trouble ? error : new Trouble("This app could not be shown.", error.message));
  }
}
