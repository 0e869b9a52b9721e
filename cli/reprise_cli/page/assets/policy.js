// The policy document, what it pauses, and what was done to it.

import { ask } from "/assets/api.js";
import { field } from "/assets/dialog.js";
import { by, clear, fail, short } from "/assets/frame.js";
import { button, grid, link, time, words } from "/assets/parts.js";
import { switchButton, switchDialog } from "/assets/switch.js";
import { make } from "/assets/widgets.js";

export async function showPolicy(main, place) {
  async function look(told = "") {
    try {
      const [policy, top] = await Promise.all([ask("/api/policy"), ask("/api/top")]);
      clear();
      show(policy, top.targets);
      if (told) by("told").textContent = told;
    } catch (error) {
      fail(error);
    }
  }

  function show(policy, lines) {
    const targets = rows(policy, lines);
    const parts = [make("h2", { class: "path" }, "Policy"), make("p", { id: "told", class: "good", role: "status" })];
    if (policy.problem) {
      parts.push(make("p", { class: "problem" }, ...words(`It is not valid, so the last valid one holds: ${policy.problem}. Correct it: \`reprise policy edit\``)));
    }
    parts.push(grid("Targets", [
      ["target", (each) => each.target],
      ["state", (each) => (each.paused ? make("b", { class: "bad" }, "paused") : "replays")],
      ["since", (each) => time(each.paused?.since)],
      ["by", (each) => short(each.paused?.by ?? "")],
      ["why", (each) => each.paused?.why ?? "", "text"],
      ["", (each) => (place.operates && !each.target.includes("*") ? switchButton(place, each, look) : "")],
    ], targets));
    if (place.operates) {
      const other = make("input", { autocomplete: "off", spellcheck: "false", required: "" });
      const form = make("form", { class: "filters" }, field("Another function", other, "one that a pattern allows"), make("button", {}, "Pause …"));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        switchDialog(place, "pause", other.value.trim(), look);
      });
      if (targets.some(({ target }) => target.includes("*"))) parts.push(form);
      parts.push(make("div", { class: "bar" },
        button("Pause everything …", () => switchDialog(place, "pause", null, look), { class: "grave" }),
        button("Resume everything …", () => switchDialog(place, "resume", null, look))));
    } else {
      parts.push(make("p", { class: "note" }, ...words("To pause and resume here: `reprise dashboard --operate`")));
    }
    parts.push(
      make("h3", {}, `The document: version ${policy.version}`),
      make("p", { class: "note" }, `In ${policy.parameter}, since `, time(policy.at), ". Each field: docs/reference/policy.md. ", link("/runbooks/policy", "Runbook")),
      make("pre", { tabindex: "0", "aria-label": "Policy document" }, pretty(policy.text)),
      grid("History", [
        ["version", (each) => String(each.version), "amount"], ["what", (each) => each.changes.join("; ") || "nothing", "text"], ["when", (each) => time(each.at)],
        ["who", (each) => short(each.by)], ["why", (each) => each.why, "text"],
      ], policy.history),
    );
    main.replaceChildren(...parts);
  }

  await look();
}

// Targets of `top`, and whatever else is paused.
function rows(policy, lines) {
  const paused = policy.paused;
  const names = [...new Set([...lines.map(({ target }) => target), ...Object.keys(paused)])];
  return names.map((target) => ({ target, paused: paused[target] ?? null }));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
