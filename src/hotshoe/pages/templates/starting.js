// Requests the app until it is ready, then opens it; until then the address does not change.
(async () => {
  const { again } = document.getElementById("starting").dataset;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const restarts = [502, 503, 504]; // a restarting server, or its proxy
  for (;;) {
    const asked = fetch(again, { method: "HEAD", cache: "no-store", redirect: "manual" });
    // The response has no text, but browsers report a response that is not read as broken off.
    const answer = await asked.then((some) => some.text().then(() => some)).catch(() => null);
    const starts = answer !== null && answer.status === 202;
    if (!starts && answer !== null && !restarts.includes(answer.status)) break;
    await pause(starts ? 200 : 2000); // the server already waits, unless a proxy cuts that short
  }
  location.replace(again + location.hash);
})();
