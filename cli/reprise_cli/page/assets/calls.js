// The calls: which wait, which ended how; each leads to its story.

import { ask } from "/assets/api.js";
import { field } from "/assets/dialog.js";
import { clear, fail, speak } from "/assets/frame.js";
import { age, button, grid, link, several, words } from "/assets/parts.js";
import { asked, filters } from "/assets/selection.js";
import { make } from "/assets/widgets.js";

const FILTERS = ["target", "state", "reason", "error", "key", "older_than", "newer_than"];
const STATES = ["open", "all", "captured", "leased", "waiting", "succeeded", "dead_lettered"];

export async function showCalls(main) {
  const id = make("input", { name: "id", autocomplete: "off", spellcheck: "false", required: "" });
  const find = make("form", { class: "filters", role: "search" }, field("Id, its beginning, or the caller's key", id), make("button", {}, "Show"));
  find.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(`/calls/${encodeURIComponent(id.value.trim())}`);
  });
  const head = make("div", { class: "bar" });
  const body = make("div", {});
  main.replaceChildren(make("h2", { class: "path" }, "Calls"), find);
  const form = filters(main, [
    ["target", "Target", []], ["state", "State", STATES], ["reason", "Given up for", []], ["error", "Error", "text or /regex/"],
    ["key", "Caller's key", "order-2"], ["older_than", "Older than", "1h"], ["newer_than", "Newer than", "30m"],
  ], () => look());
  main.append(head, body);
  const targets = new Set();
  ask("/api/top").then((top) => offer(top.targets), fail);
  await look();

  // Targets that a pattern allows are known by their calls only.
  function offer(found) {
    for (const { target } of found) if (!target.includes("*")) targets.add(target);
    form.options("target", [...targets].sort());
  }

  async function look(limit = "") {
    main.setAttribute("aria-busy", "true");
    try {
      const chosen = asked(FILTERS);
      const found = await ask(`/api/calls?${new URLSearchParams({ ...chosen, ...(limit && { limit }) })}`);
      clear();
      form.options("reason", found.reasons);
      offer(found.groups);
      const state = chosen.state ?? (chosen.reason ? "dead_lettered" : "open");
      const what = state === "all" ? "call" : `${state.replace("_", " ")} call`;
      head.replaceChildren(
        make("p", {}, make("b", {}, several(found.count, what))), button("Look again", () => look(limit)),
        ...(found.count === found.limit && found.limit < found.most ? [button(`Show up to ${found.most.toLocaleString("en")}`, () => look(String(found.most)))] : []),
        ...found.notes.map((note) => make("p", { class: "note" }, ...words(note))),
      );
      body.replaceChildren(...(found.count ? [groups(found, form), list(found)] : [make("p", { class: "good" }, state === "open" ? "✓ No call waits." : "None of these.")]));
      speak(several(found.count, what));
    } catch (error) {
      fail(error);
    }
    main.setAttribute("aria-busy", "false");
  }
}

function groups(found, form) {
  return grid("By target and state", [
    ["calls", (each) => String(each.calls), "amount"], ["target", (each) => each.target], ["state", (each) => each.state.replace("_", " ")], ["reason", (each) => each.reason],
    ["", (each) => button("Only these", () => form.set({ target: each.target, state: each.state, reason: each.reason }), {
      "aria-label": `Only the ${several(each.calls, "call")} of ${each.target}: ${each.state}`,
    })],
  ], found.groups);
}

function list(found) {
  return grid("Each call, the youngest first", [
    ["id", (each) => link(`/calls/${encodeURIComponent(each.id)}`, each.id), "id"],
    ["target", (each) => each.target],
    ["state", (each) => each.state.replace("_", " ")],
    ["age", (each) => age(each.captured_at), "amount"],
    ["attempts", (each) => String(each.attempts), "amount"],
    ["why", (each) => why(each), "text"],
  ], found.calls);
}

// Why it stands where it does: given up, failed last, or captured.
function why(call) {
  if (call.state === "dead_lettered") return [call.reason, call.message].filter(Boolean).join(": ");
  if (call.attempts && call.state !== "succeeded") return `failed ${call.attempts} times: ${call.error}`;
  return call.captured_for ?? "";
}
