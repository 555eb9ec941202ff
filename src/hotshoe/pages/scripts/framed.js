// In a frame: sends the height of this page to the outer page, if that asks for it by sending a port.

const FRAMED_QUICK_MS = 300;
const FRAMED_MOST_STEPS = 3;

// The boxes in the page's flow. Floating boxes, such as menus and signs, do not count for its height.
function framed_boxes(parent) {
  return [...parent.children].flatMap((child) => {
    const { display, position } = getComputedStyle(child);
    if (display === "contents") return framed_boxes(child);
    return display === "none" || position === "fixed" || position === "absolute" ? [] : [child];
  });
}

function framed_height(boxes) {
  const { marginBottom, paddingBottom } = getComputedStyle(document.body);
  const bottoms = boxes.map((box) =>
    box.getBoundingClientRect().bottom + scrollY + (parseFloat(getComputedStyle(box).marginBottom) || 0));
  const below = (parseFloat(marginBottom) || 0) + (parseFloat(paddingBottom) || 0);
  const scrollbar = innerHeight - document.documentElement.clientHeight;
  return Math.ceil(Math.max(0, ...bottoms) + below + scrollbar);
}

class FramedHeight {
  told = 0;
  told_ms = -Infinity;
  step = 0; // by how much the last sent height exceeded the frame's
  steps = 0; // how often it quickly exceeded it by the same amount
  waiting = false;

  constructor(port) {
    this.port = port;
    this.sizes = new ResizeObserver(() => this.look());
    new MutationObserver(() => this.look()).observe(document.body, { childList: true, subtree: true });
    addEventListener("resize", () => this.look());
    this.look();
  }

  look() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const boxes = framed_boxes(document.body);
      for (const box of boxes) this.sizes.observe(box);
      this.tell(framed_height(boxes));
    });
  }

  tell(height) {
    if (height === 0 || height === this.told) return;
    const step = height - innerHeight;
    const now_ms = performance.now();
    const again = step > 0 && step === this.step && now_ms - this.told_ms < FRAMED_QUICK_MS;
    this.steps = again ? this.steps + 1 : 0;
    if (this.steps >= FRAMED_MOST_STEPS) return; // always a bit taller than its frame: it would grow for ever
    this.told = height;
    this.told_ms = now_ms;
    this.step = step;
    this.port.postMessage(height);
  }
}

addEventListener("message", ({ source, data, ports }) => {
  if (window.parent !== window && source === window.parent && data === "hotshoe:height" && ports.length === 1) {
    new FramedHeight(ports[0]);
  }
});
