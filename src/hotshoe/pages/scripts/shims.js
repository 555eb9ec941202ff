// Panel's components with an import map need es-module-shims in its "shim mode", which it chooses when it starts.
function prepare_shims(url) {
  if (!/\/es-module-shims/.test(url) || document.querySelector('script[type="esms-options"]')) return;
  const options = document.createElement("script");
  options.type = "esms-options";
  options.textContent = '{"shimMode": true}';
  document.head.append(options);
}
