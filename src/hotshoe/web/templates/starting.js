// Asks until the app is there, then goes to it; until then the address stays what it is.
(async () => {
  const { again } = document.getElementById("starting").dataset;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const restarts = [502, 503, 504]; // a server, or what is said of it by the proxy before it
  for (;;) {
    const asked = fetch(again, { method: "HEAD", cache: "no-store", redirect: "manual" });
    // There is no text, but browsers take an answer that nobody reads for one that was broken off.
    const answer = await asked.then((some) => some.text().then(() => some)).catch(() => null);
    const starts = answer !== null && answer.status === 202;
    if (!starts && answer !== null && !restarts.includes(answer.status)) break;
    await pause(starts ? 200 : 2000); // the server waits, unless something between here and there does not
  }
  location.replace(again + location.hash);
})();
