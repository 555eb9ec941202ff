// Loads BokehJS, and all other files of an app, into a page of another site: each file once, for all apps and servers.
// The state of the page is in `window._hotshoe_loads`, since each server loads its own copy of this code.

const page_loads = window._hotshoe_loads || (window._hotshoe_loads = { files: new Map(), version: null });
const FILE_TIMEOUT_MS = 60000;
const STOCK_TIMEOUT_MS = 20000;

// An error with a text for the page, not for the console.
class Trouble extends Error {
  constructor(title, detail = "", more = {}) {
    super(`${title} ${detail}`.trim());
    Object.assign(this, { title, detail, again: true, ...more });
  }
}

const release_of = (version) => (/^\d+\.\d+\.\d+/.exec(version) || [version])[0];

// A page has one BokehJS: further bundles add themselves to the first one.
function claim_version(wanted) {
  const present = window.Bokeh && window.Bokeh.version ? window.Bokeh.version : page_loads.version;
  if (present && release_of(present) !== release_of(wanted)) {
    throw new Trouble("This page has another version of Bokeh.",
      `It has loaded BokehJS ${present}, and this app needs ${wanted}. Serve the apps of one page by one version, or ` +
      "show this one in an iframe.", { again: false });
  }
  page_loads.version = wanted;
}

// The name of a URL's bundle of BokehJS, for any version, host and flavour: "bokeh", "bokeh-widgets", …
function bundle_of(url) {
  const found = /\/(bokeh(?:-[a-z]+)?)(?:-\d[\w.-]*?)?(?:\.min)?\.js$/.exec(new URL(url, document.baseURI).pathname);
  return found ? found[1] : null;
}

function page_has(url) {
  const name = window.Bokeh ? bundle_of(url) : null;
  return name !== null && [...document.querySelectorAll("script[src]")].some((tag) => bundle_of(tag.src) === name);
}

function insert(url, is_style, nonce) {
  prepare_shims(url);
  const tag = document.createElement(is_style ? "link" : "script");
  if (is_style) tag.rel = "stylesheet";
  else tag.async = false; // run in the order of insertion
  tag[is_style ? "href" : "src"] = url;
  if (nonce) tag.nonce = nonce;
  return new Promise((resolve, reject) => {
    const fail = () => { clearTimeout(timer); tag.remove(); reject(new Error(url)); };
    const timer = setTimeout(fail, FILE_TIMEOUT_MS);
    tag.onload = () => { clearTimeout(timer); resolve(); };
    tag.onerror = fail;
    document.head.append(tag);
  });
}

// Two files are equal if they are the same bundle of BokehJS, or have the same path below their servers.
const key_of = (url, base) => bundle_of(url) || (url.startsWith(base) ? url.slice(base.length) : url);

function load_file(url, base, is_style, nonce) {
  const key = key_of(url, base);
  const { files } = page_loads;
  if (!files.has(key)) files.set(key, page_has(url) ? Promise.resolve() : insert(url, is_style, nonce));
  return files.get(key).catch((error) => { files.delete(key); throw error; });
}

// Waits for bokeh's own scripts that are loading BokehJS now.
function until_stock_has_loaded() {
  if (!(window._bokeh_is_loading > 0) || !Array.isArray(window._bokeh_onload_callbacks)) return Promise.resolve();
  return new Promise((resolve) => {
    window._bokeh_onload_callbacks.push(resolve);
    setTimeout(resolve, STOCK_TIMEOUT_MS);
  });
}

function until_present() {
  return new Promise((resolve, reject) => {
    const start = Date.now();
    (function look() {
      if (window.Bokeh) resolve();
      else if (Date.now() - start < STOCK_TIMEOUT_MS) setTimeout(look, 50);
      else reject(new Trouble("This page has not loaded BokehJS.", 'With resources="none", the page has to load it.'));
    })();
  });
}

async function load_all(plan, nonce) {
  await until_stock_has_loaded();
  claim_version(plan.bokeh);
  if (!plan.resources) await until_present();
  const had_bokeh = Boolean(window.Bokeh);
  const styles = plan.styles.map((url) => load_file(url, plan.base, true, nonce));
  const scripts = plan.scripts.map((url) => load_file(url, plan.base, false, nonce));
  const failed = (await Promise.allSettled([...scripts, ...styles])).find((result) => result.status === "rejected");
  if (failed) {
    // The scripts that ran without the failed file have to run again.
    for (const url of plan.scripts) page_loads.files.delete(key_of(url, plan.base));
    if (!had_bokeh) page_loads.version = null;
    throw new Trouble("A part of this app could not be loaded.", failed.reason.message);
  }
  if (!window.Bokeh) throw new Trouble("BokehJS did not start in this page.", "The browser's console may say why.");
  claim_version(plan.bokeh);
  if (plan.resources && !had_bokeh) {
    window.Bokeh.set_log_level(plan.log_level);
    if (plan.dev) window.Bokeh.settings.dev = true;
  }
}
