// The calls: one is found by its id.

import { make } from "/assets/widgets.js";
import { field } from "/assets/dialog.js";

export async function showCalls(main) {
  const id = make("input", { name: "id", autocomplete: "off", spellcheck: "false", required: "" });
  const form = make("form", { class: "filters", role: "search" }, field("Id of a call", id), make("button", {}, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(`/calls/${encodeURIComponent(id.value.trim())}`);
  });
  main.replaceChildren(make("h2", { class: "path" }, "Calls"), form);
}
