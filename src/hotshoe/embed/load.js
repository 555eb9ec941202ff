// Run inline by `server_document`: requests autoload.js and runs it, or shows in its place why that failed.
(function (plan) {
  const place = document.getElementById(plan.id);
  const nonce = document.currentScript ? document.currentScript.nonce : "";
  const url = new URL(plan.src, document.baseURI);
  const has = (name) => url.searchParams.has(name);
  // For an address without a host, only the browser knows the path.
  const path = url.pathname.replace(/\/+autoload\.js$/, "");
  if (!has("bokeh-app-path") && path) url.searchParams.set("bokeh-app-path", path);
  if (!has("bokeh-absolute-url") && !plan.relative && url.origin !== location.origin) {
    url.searchParams.set("bokeh-absolute-url", url.origin + path);
  }
  // Tells the server which headers are ours, and not a proxy's.
  const names = Object.keys(plan.headers).filter((name) => name.toLowerCase() !== "bokeh-session-id");
  const mark = new URLSearchParams(names.map((name) => [name, plan.headers[name]])).toString();
  const headers = names.length > 0 ? { ...plan.headers, "Bokeh-Embed-Headers": mark } : plan.headers;

  function fail(text) {
    const note = document.createElement("div");
    note.setAttribute("role", "alert");
    note.style.cssText = "margin:8px 0;padding:14px 16px;border:1px solid #e2e2de;border-radius:12px;" +
      "font:14px/1.5 system-ui,sans-serif;color:#1c1d1f;background:#fff;overflow-wrap:anywhere";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Try again";
    button.style.cssText = "margin-left:12px;font:inherit";
    button.onclick = () => { note.remove(); load(); };
    note.append(text, button);
    (document.getElementById(plan.id) || place).after(note);
    console.error("Bokeh: " + text);
  }

  function run(source) {
    const script = document.createElement("script");
    if (nonce) script.nonce = nonce;
    script.textContent = source;
    document.body.append(script);
    script.remove();
  }

  async function load() {
    const unreachable = `The app at ${url.origin}${path} can't be reached` + (url.origin === location.origin ? "."
      : plan.credentials ? `, or it does not give cookies to pages of ${location.origin}.` : ".");
    try {
      const answer = await fetch(url, { headers, credentials: plan.credentials ? "include" : "same-origin" });
      const is_script = (answer.headers.get("Content-Type") || "").includes("javascript");
      if (is_script) run(await answer.text());
      else fail(answer.redirected ? "This app asks you to log in." : `The app at ${url.origin}${path} answers with ` +
        `status ${answer.status}.`);
    } catch (error) {
      fail(unreachable);
    }
  }
  load();
})
