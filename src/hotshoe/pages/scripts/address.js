// While an app starts slowly, the address of its page gets the session's id. This restores the visitor's address before
// anything reads the arguments, so that reloading the page makes a new session.
(function () {
  const { search, pathname, hash } = location;
  const own = search.replace(/[?&](bokeh-session-id=[^&]*&hotshoe-starting=new|hotshoe-starting=kept)$/, "");
  if (own === search) return;
  try {
    history.replaceState(history.state, "", location.origin + pathname + own + hash);
  } catch (error) {
    // This is a frame without its own address.
  }
})();
