// The page of an app that took long to begin came by an address that names its session: the visitor's own comes back,
// before anything reads the arguments, so that to load the page again makes another session.
(function () {
  const { search, pathname, hash } = location;
  const own = search.replace(/[?&](bokeh-session-id=[^&]*&hotshoe-starting=new|hotshoe-starting=kept)$/, "");
  if (own === search) return;
  try {
    history.replaceState(history.state, "", location.origin + pathname + own + hash);
  } catch (error) {
    // A frame without an address of its own.
  }
})();
