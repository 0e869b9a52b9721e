// One call's story.

import { ask } from "/assets/api.js";
import { instant } from "/assets/format.js";
import { startTheme } from "/assets/theme.js";
import { make } from "/assets/widgets.js";

const by = (id) => document.getElementById(id);
const callId = decodeURIComponent(location.pathname.slice("/calls/".length));

by("id").textContent = callId;
document.title = `Reprise: call ${callId}`;
startTheme(by("theme"), () => {});

try {
  show(await ask(`/api/calls/${encodeURIComponent(callId)}`));
} catch (error) {
  by("problem").textContent = error.message;
  by("problem").hidden = false;
}
by("story").setAttribute("aria-busy", "false");

function show(story) {
  const facts = make("dl", { class: "facts" });
  for (const [name, text] of Object.entries(story.facts)) {
    facts.append(make("dt", {}, name), make("dd", {}, text));
  }
  const head = make("tr", {}, ...["when", "after", "what", "how"].map((name) => make("th", { scope: "col" }, name)));
  const rows = story.steps.map((step) =>
    make(
      "tr", { class: step.kind },
      make("td", {}, step.at ? make("time", { datetime: step.at }, instant(step.at)) : "–"),
      make("td", { class: "amount" }, step.after),
      make("td", {}, make("b", {}, step.what)),
      make("td", {}, step.how),
    ),
  );
  const table = make("table", { class: "steps" }, make("thead", {}, head), make("tbody", {}, ...rows));
  const parts = [
    make("p", {}, make("span", { class: `state ${story.state}` }, story.state.replace("_", " "))),
    facts,
    make("div", { class: "wide" }, table),
  ];
  if (story.result !== null) parts.push(make("h2", {}, "Late result"), make("pre", {}, story.result));
  if (story.payload !== null) parts.push(make("h2", {}, "Payload"), make("pre", {}, story.payload));
  else parts.push(make("p", { class: "note" }, "The payload is shown only if the page was started with --show-payload."));
  by("story").replaceChildren(...parts);
}
