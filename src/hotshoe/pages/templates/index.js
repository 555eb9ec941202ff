// A proxy may have added or dropped the trailing slash; only the browser knows the page's address.
const base = location.pathname.replace(/\/+$/, "");
for (const element of document.querySelectorAll("[data-path]")) {
  const path = element.dataset.path.split("/").map(encodeURIComponent).join("/");
  element.setAttribute(element.tagName === "IMG" ? "src" : "href", base + path);
}
