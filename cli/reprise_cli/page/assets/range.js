// Two instants instead of a range: what happened last night, whenever it is looked at.

import { make } from "/assets/widgets.js";
import { button } from "/assets/parts.js";

const two = (number) => String(number).padStart(2, "0");

// An instant as an input of local time has it.
function local(text) {
  const at = new Date(text);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

export function startRange(place, changed) {
  const from = make("input", { type: "datetime-local", id: "from" });
  const to = make("input", { type: "datetime-local", id: "to" });
  const show = button("Show", () => {
    if (!from.value) return from.focus();
    changed(new Date(from.value).toISOString(), to.value ? new Date(to.value).toISOString() : "");
  });
  place.replaceChildren(make("label", {}, "from ", from), make("label", {}, "to ", to), show);
  return {
    open(start, end) {
      place.hidden = false;
      if (!from.value) from.value = local(start);
      if (!to.value) to.value = local(end);
    },
    close() {
      place.hidden = true;
      from.value = to.value = "";
    },
  };
}
