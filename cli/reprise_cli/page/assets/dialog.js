// Asks before anything is changed: says where, what and as whom. Esc and the first button close it; nothing is done then.

import { placeLine, short } from "/assets/frame.js";
import { button } from "/assets/parts.js";
import { make } from "/assets/widgets.js";

let last = 0;

export function field(label, input, hint = "") {
  input.id ||= `field-${++last}`;
  const parts = [make("label", { for: input.id }, label), input];
  if (hint) {
    parts.push(make("small", { id: `${input.id}-hint` }, hint));
    input.setAttribute("aria-describedby", `${input.id}-hint`);
  }
  return make("div", { class: "field" }, ...parts);
}

export function openDialog(title, place, what, content, buttons) {
  const problem = make("p", { class: "problem", role: "alert", hidden: "" });
  const close = button("Cancel", () => dialog.close());
  const heading = make("h2", { id: "dialog-title" }, title);
  const where = make("dl", { class: "facts where" });
  for (const [name, text] of [["at", placeLine(place)], ["as", short(place.operator)], ["does", what]]) {
    where.append(make("dt", {}, name), make("dd", {}, text));
  }
  const form = make("form", { method: "dialog" }, heading, where, ...content, problem, make("div", { class: "buttons" }, close, ...buttons));
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
  form.addEventListener("submit", (event) => event.preventDefault());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return {
    close: () => dialog.close(),
    async run(work) {
      problem.hidden = true;
      const pressed = [...dialog.querySelectorAll("button")].filter((each) => each !== close && !each.disabled);
      for (const each of pressed) each.disabled = true;
      try {
        return await work();
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
        return null;
      } finally {
        for (const each of pressed) each.disabled = false;
      }
    },
  };
}
