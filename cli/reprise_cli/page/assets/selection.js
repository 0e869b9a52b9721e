// Filters that stand in the address, so that a link shows the same.

import { field } from "/assets/dialog.js";
import { make } from "/assets/widgets.js";

export const chosen = new URLSearchParams(location.search);

export function asked(names) {
  return Object.fromEntries(names.map((name) => [name, chosen.get(name) ?? ""]).filter(([, value]) => value));
}

export function choose(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value) chosen.set(name, value);
    else chosen.delete(name);
  }
  history.replaceState(null, "", chosen.size ? `?${chosen}` : location.pathname);
}

// Fields are [name, label, choices or placeholder]; they are made once, so that nobody's typing is lost.
export function filters(place, fields, changed) {
  const inputs = new Map();
  const form = make("form", { class: "filters", role: "search" });
  for (const [name, label, given] of fields) {
    const input = Array.isArray(given)
      ? make("select", { name })
      : make("input", { name, placeholder: given, autocomplete: "off", spellcheck: "false" });
    inputs.set(name, input);
    input.addEventListener("change", () => {
      choose({ [name]: input.value.trim() });
      changed();
    });
    form.append(field(label, input));
    if (Array.isArray(given)) options(input, given);
  }
  const reset = make("button", { type: "button" }, "Clear");
  reset.addEventListener("click", () => set(Object.fromEntries([...inputs.keys()].map((name) => [name, ""]))));
  form.append(reset);
  form.addEventListener("submit", (event) => event.preventDefault());
  place.append(form);

  function options(input, values) {
    const wanted = chosen.get(input.name) ?? "";
    const all = [...new Set([...values, wanted])].filter(Boolean);
    if (input.dataset.values === JSON.stringify(all)) return;
    input.dataset.values = JSON.stringify(all);
    input.replaceChildren(make("option", { value: "" }, "any"), ...all.map((value) => make("option", { value }, value)));
    input.value = wanted;
  }

  function show() {
    for (const [name, input] of inputs) input.value = chosen.get(name) ?? "";
  }

  function set(changes) {
    choose(changes);
    for (const [name, input] of inputs) if (input.tagName === "SELECT") options(input, [...input.options].map((each) => each.value));
    show();
    changed();
  }

  show();
  return { set, options: (name, values) => options(inputs.get(name), values) };
}
