// Requests the plan of an app from its server, with a text for each kind of failure.

class AppAddress {
  constructor(src) {
    let url;
    try {
      url = new URL(src, document.baseURI);
    } catch (error) {
      url = null;
    }
    if (!src || url === null || !/^https?:$/.test(url.protocol)) {
      const detail = src ? `${src} is not the address of an app.` : 'Its attribute "src" is missing.';
      throw new Trouble("This app has no address.", detail, { again: false });
    }
    if (url.username || url.password) {
      throw new Trouble("This app can't be requested.", "Its address has a user and password in it.", { again: false });
    }
    this.origin = url.origin;
    this.path = url.pathname.replace(/\/+$/, "");
    this.query = url.search.slice(1);
  }

  get url() {
    return this.origin + this.path;
  }

  ask({ resources }) {
    const ask = new URL(`${this.url}/autoload.js?${this.query}`);
    ask.searchParams.set("bokeh-app-path", this.path || "/");
    ask.searchParams.set("bokeh-absolute-url", this.url);
    if (!resources) ask.searchParams.set("resources", "none");
    return ask;
  }
}

const SLOW_WORDS = "Still loading: the app takes a while to start…";
const AGAIN_MS = 2000;
const AGAIN_MOST = 60;
const LEAST_MS = 200;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// `starting` is the query for the next request while an app is starting.
async function ask_for_plan(app, options, signal, starting = null) {
  const names = Object.keys(options.headers);
  const headers = { ...options.headers, Accept: "application/json" };
  // It tells the server which headers are ours and not a proxy's.
  if (names.length > 0) headers["Bokeh-Embed-Headers"] = new URLSearchParams(options.headers).toString();
  const credentials = options.with_credentials ? "include" : "same-origin";
  let failures = 0;
  for (;;) {
    const url = starting === null ? app.ask(options) : `${app.url}/autoload.js?${starting}`;
    let answer = null;
    try {
      answer = await fetch(url, { headers, credentials, signal, cache: "no-store" });
    } catch (error) {
      if (signal.aborted) throw error;
      if (starting === null || ++failures > AGAIN_MOST) throw await trouble_of_silence(app, options);
    }
    // The server, or its proxy, is restarting: the session may still exist afterwards.
    if (starting !== null && (answer === null || answer.status === 502 || answer.status === 504)) {
      await pause(AGAIN_MS);
      continue;
    }
    const data = await data_of(answer);
    if (answer.status !== 202 || data === null || !data.starting) {
      if (!answer.ok || data === null || data.error) throw trouble_of_answer(app, answer, data || {});
      return data;
    }
    ({ starting } = data);
    await pause(LEAST_MS); // the server already waits, unless a proxy cuts that short
  }
}

async function data_of(answer) {
  if (!(answer.headers.get("Content-Type") || "").includes("json")) return null;
  try {
    return await answer.json();
  } catch (error) {
    return null;
  }
}

function trouble_of_answer(app, answer, data) {
  const more = { error_id: data.error_id, flag: data.flag };
  const { status } = answer;
  if (status === 401 || (answer.redirected && data.error === undefined)) {
    const login = data.login ? new URL(data.login, answer.url).href : answer.redirected ? answer.url : undefined;
    const safe = login && /^https?:/.test(login) ? login : undefined;
    return new Trouble("This app asks you to log in.", "", { login: safe });
  }
  if (status === 404) return new Trouble("There is no app at this address.", app.url);
  if (status === 429 || status === 503) {
    const after_s = Math.min(Number(answer.headers.get("Retry-After")) || 0, 300);
    const title = data.error || "The server has no room for this app at the moment.";
    return new Trouble(title, data.detail, { passes: true, after_s });
  }
  if (status === 502 || status === 504) return unreachable(app, `Its proxy responds with status ${status}.`);
  if (data.error) return new Trouble(data.error, data.detail, more);
  const what = answer.ok ? "The server at its address does not support <bokeh-app>."
    : `Its server responds with status ${status}.`;
  return new Trouble("This app could not be shown.", `${what}\n${app.url}`, more);
}

function unreachable(app, detail, more = { passes: true }) {
  return new Trouble("This app can't be reached.", `${detail}\n${app.url}`, more);
}

// Browsers do not tell why there is no response; this finds out as much as possible.
async function trouble_of_silence(app, options) {
  const is_local = /^(localhost|127\.|\[::1\])/.test(new URL(app.origin).host);
  if (location.protocol === "https:" && app.origin.startsWith("http:") && !is_local) {
    return unreachable(app, "Browsers load nothing by http into a page of https.", { again: false });
  }
  if (app.origin === location.origin) return unreachable(app, "Its server does not respond.");
  // Without cookies and our headers, the server tells everybody whether it allows pages of this site.
  const plain = { headers: { Accept: "application/json" }, credentials: "omit", cache: "no-store" };
  try {
    const answer = await fetch(app.ask(options), { ...plain, method: "HEAD" });
    if (answer.status === 403) {
      const reason = await fetch(app.ask(options), plain);
      return trouble_of_answer(app, reason, (await data_of(reason)) || {});
    }
    if (options.with_credentials) {
      return new Trouble(`The server does not give cookies to pages of ${location.origin}.`, "",
        { flag: `--allow-websocket-origin=${location.host}` });
    }
    return new Trouble("This app could not be requested.", "The server does not accept requests with these headers.");
  } catch (error) {
    return unreachable(app, `Its server does not respond, or allows no requests from pages of ${location.origin}.`);
  }
}
