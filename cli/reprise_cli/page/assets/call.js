// One call's story. Payload and result are shown if somebody asks for them.

import { ask } from "/assets/api.js";
import { instant } from "/assets/format.js";
import { button, facts, link } from "/assets/parts.js";
import { fail } from "/assets/frame.js";
import { make } from "/assets/widgets.js";

export async function showCall(main, _place, id) {
  main.replaceChildren(make("h2", { class: "path" }, link("/calls", "Calls"), " › ", make("span", { id: "id" }, id)));
  const path = `/api/calls/${encodeURIComponent(id)}`;
  const story = await ask(path);
  // A beginning of an id, or its caller's key, was enough.
  document.getElementById("id").textContent = story.id;
  main.append(
    make("p", { class: "line" }, make("span", { class: `state ${story.state}` }, story.state.replace("_", " ")), ...ways(story)),
    facts(Object.entries(story.facts)),
    steps(story.steps),
  );
  if (story.has_result) main.append(onDemand("Late result", "Show the result", async () => (await ask(`${path}?show=result`)).result));
  if (story.may_show_payload) {
    main.append(onDemand("Payload", "Show the payload", async () => (await ask(`${path}?show=payload`)).payload));
  } else {
    main.append(make("p", { class: "note" }, "The payload can be shown only if the page was started with --show-payload."));
  }
}

function ways(story) {
  return story.has_letter ? [link(`/letters/${encodeURIComponent(story.id)}`, "its dead letter")] : [];
}

function steps(found) {
  const head = make("tr", {}, ...["when", "after", "what", "how"].map((name) => make("th", { scope: "col" }, name)));
  const rows = found.map((step) =>
    make(
      "tr", { class: step.kind },
      make("td", {}, step.at ? make("time", { datetime: step.at }, instant(step.at)) : "–"),
      make("td", { class: "amount" }, step.after),
      make("td", {}, make("b", {}, step.what)),
      make("td", {}, step.how),
    ),
  );
  const table = make("table", { class: "steps" }, make("caption", { class: "unseen" }, "What happened to it"), make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", { class: "wide" }, table);
}

function onDemand(title, text, read) {
  const body = make("div", { role: "status" });
  const shown = button(text, async () => {
    try {
      body.replaceChildren(make("pre", { tabindex: "0" }, await read()));
      shown.hidden = true;
    } catch (error) {
      fail(error);
    }
  });
  return make("section", { class: "secret" }, make("h2", {}, title), shown, body);
}
