// Pause and resume, with a reason.

import { act } from "/assets/api.js";
import { field, openDialog } from "/assets/dialog.js";
import { button } from "/assets/parts.js";
import { make } from "/assets/widgets.js";

const EFFECTS = {
  pause: "replays stop within a minute; calls are captured as before, and wait",
  resume: "what waited goes on within ten seconds",
};

// `target` is a function's name, or null for everything.
export function switchDialog(place, verb, target, done) {
  const title = `${verb === "pause" ? "Pause" : "Resume"} ${target ?? "everything"}`;
  const reason = make("input", { name: "reason", maxlength: "500", autocomplete: "off" });
  const body = () => ({ ...(target === null ? { all: true } : { target }), reason: reason.value.trim() });
  const go = button(title, () => dialog.run(() => act(`/api/policy/${verb}`, body())).then((found) => {
    if (!found) return;
    dialog.close();
    done(found.changes.length ? found.changes.join(", ") : "It was so already: nothing was changed.");
  }), { class: verb === "pause" ? "grave" : "" });
  const hint = "the history and whoever looks are told";
  const dialog = openDialog(title, place, EFFECTS[verb], [field("Why", reason, hint)], [go]);
}

export function switchButton(place, line, done) {
  const verb = line.paused ? "resume" : "pause";
  return button(`${verb === "pause" ? "Pause" : "Resume"} …`, () => switchDialog(place, verb, line.target, done), {
    "aria-label": `${verb} ${line.target}`,
  });
}
