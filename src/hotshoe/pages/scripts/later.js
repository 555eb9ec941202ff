// For an app that starts slowly: shows a notice in its element until there is a plan.

async function until_started(plan, place) {
  const app = new AppAddress(plan.absolute_url || plan.app_path);
  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [notice_sheet()];
  place.append(host);
  const notice = waiting_notice(host);
  notice.querySelector(".words").textContent = SLOW_WORDS;
  shadow.append(notice);
  const options = { headers: {}, with_credentials: plan.with_credentials, resources: true };
  try {
    return await ask_for_plan(app, options, new AbortController().signal, plan.starting);
  } finally {
    host.remove();
  }
}
