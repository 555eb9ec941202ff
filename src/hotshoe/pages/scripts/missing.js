// Tells in the console which bundle of BokehJS a page lacks, when code asks for a model that is in none of the loaded.
// `MODEL_BUNDLES` has the names of the models of each bundle that is loaded only if it is needed.
function name_missing_bundles(Bokeh) {
  const told = new Set();
  const tell = (name, bundle) => {
    if (told.has(name)) return;
    told.add(name);
    console.error(`hotshoe: ${name} is in BokehJS's bundle ${bundle}, which this page has not loaded: no model of the ` +
      "app needs it, and no JavaScript that the server can read names it. Serve the app with --all-bundles, or " +
      "--all-bundles=APP=yes for one app.");
  };
  const bundle_of = (name) => Object.keys(MODEL_BUNDLES).find((bundle) => MODEL_BUNDLES[bundle].includes(name));

  const { get, register } = Bokeh.Models;
  let is_registering = false;
  Bokeh.Models.get = function (name) {
    const model = get.call(this, name);
    const bundle = model == null && !is_registering ? bundle_of(name) : undefined;
    if (bundle) tell(name, bundle);
    return model;
  };
  Bokeh.Models.register = function (...given) { // a bundle that arrives asks for each model, too
    is_registering = true;
    try {
      return register.apply(this, given);
    } finally {
      is_registering = false;
    }
  };
  for (const [name, bundle] of [["Widgets", "bokeh-widgets"], ["Tables", "bokeh-tables"]]) {
    if (Bokeh[name] !== undefined) continue;
    Object.defineProperty(Bokeh, name, {
      configurable: true,
      get: () => void tell(`Bokeh.${name}`, bundle),
      set: (value) => Object.defineProperty(Bokeh, name, { value, writable: true, enumerable: true, configurable: true }),
    });
  }
}
