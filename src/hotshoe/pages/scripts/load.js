// Runs inline at the place of BokehJS in a page's template. Writes the tags for the files in `plan`, with URLs relative
// to the page's address in the browser, so that they load in order, before the rest of the page, like tags in the HTML.
(function (plan) {
  // A page in `srcdoc` has no address, but a base.
  const place = location.protocol === "about:" ? new URL(document.baseURI) : location;
  let path = place.pathname.replace(/\/+$/, "");
  for (let i = 0; i < plan.depth; i++) path = path.slice(0, Math.max(path.lastIndexOf("/"), 0)).replace(/\/+$/, "");
  // With the origin in front, a path such as //other.host/x stays a path of this host.
  const base = place.origin + path + "/";
  // Our own files are also below the app itself, since a proxy may pass only that and static/.
  const own = place.origin + place.pathname.replace(/\/+$/, "") + "/";

  const quote = (text) => '"' + text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;") + '"';
  const nonce = document.currentScript ? document.currentScript.nonce : "";
  const secret = nonce ? " nonce=" + quote(nonce) : "";
  const below = (url) => (/^_hotshoe\/(?!static\/)/.test(url) ? own : base) + url;
  const address = (url) => quote(/^([a-z][a-z0-9+.-]*:|\/)/i.test(url) ? url : below(url));

  if (plan.config) window._hotshoe = Object.assign({ base, own, nonce }, plan.config);
  const tags = plan.css.map((url) => '<link rel="stylesheet" href=' + address(url) + secret + ">")
    .concat(plan.js.map((url) => "<scr" + "ipt src=" + address(url) + secret + "></scr" + "ipt>"));
  if (tags.length > 0) document.write(tags.join("\n"));
})
