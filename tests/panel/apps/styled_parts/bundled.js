function render() {
  const element = document.createElement("b");
  element.className = "four";
  element.textContent = "bundled";
  return element;
}
export default { Bundled: { render } };
