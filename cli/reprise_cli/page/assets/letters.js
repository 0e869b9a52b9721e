// The dead letters: how many of which kind, each of them, and what can be done with those that are chosen.

import { act, ask } from "/assets/api.js";
import { field, openDialog } from "/assets/dialog.js";
import { fail, clear, speak } from "/assets/frame.js";
import { age, button, counts, facts, grid, link, several, time, words } from "/assets/parts.js";
import { asked, filters } from "/assets/selection.js";
import { make } from "/assets/widgets.js";

const FILTERS = ["target", "reason", "error", "older_than", "newer_than"];

export async function showLetters(main, place) {
  const head = make("div", { class: "bar" });
  const body = make("div", {});
  main.replaceChildren(make("h2", { class: "path" }, "Dead letters"), make("p", { class: "note" }, "Calls that were given up. They wait here for a person."));
  const form = filters(main, [
    ["target", "Target", []], ["reason", "Reason", []], ["error", "Error", "text or /regex/"],
    ["older_than", "Older than", "1h"], ["newer_than", "Newer than", "30m"],
  ], () => look());
  main.append(head, body);

  async function look(fresh = "") {
    main.setAttribute("aria-busy", "true");
    try {
      const chosen = asked(FILTERS);
      const found = await ask(`/api/letters?${new URLSearchParams({ ...chosen, ...(fresh && { fresh }) })}`);
      clear();
      form.options("target", found.targets);
      form.options("reason", found.reasons);
      head.replaceChildren(...summary(found, chosen));
      body.replaceChildren(groups(found, form), list(found));
      speak(`${several(found.count, "dead letter")}`);
    } catch (error) {
      fail(error);
    }
    main.setAttribute("aria-busy", "false");
  }

  function summary(found, chosen) {
    const seen = found.is_all ? several(found.seen, "letter") : `the first ${several(found.seen, "letter")}: there may be more`;
    const said = make("p", {}, make("b", {}, several(found.count, "dead letter")), ` of ${seen}, looked at `, time(found.looked_at), " ");
    const parts = [said, button("Look again", () => look("1"))];
    if (place.operates && found.count) {
      const meant = Object.keys(chosen).length ? chosen : { all: true };
      const what = found.is_all ? several(found.count, "letter") : "all that fit";
      parts.push(
        button(`Redrive ${what} …`, () => decide(place, "redrive", meant, () => look("1"))),
        button(`Discard ${what} …`, () => decide(place, "discard", meant, () => look("1")), { class: "grave" }),
      );
    } else if (found.count) {
      parts.push(make("small", { class: "note" }, ...words("To redrive or discard: `reprise dashboard --operate`")));
    }
    return parts.concat(found.notes.map((note) => make("p", { class: "note" }, note)));
  }

  await look();
}

function groups(found, form) {
  if (!found.groups.length) return make("p", { class: "good" }, found.seen ? "None of these." : "✓ No dead letter.");
  return grid("By target, reason and error", [
    ["letters", (each) => String(each.letters), "amount"],
    ["target", (each) => each.target || "–"],
    ["reason", (each) => each.reason],
    ["error", (each) => each.error, "text"],
    ["", (each) => button("Only these", () => form.set({ target: each.target, reason: each.reason, error: each.filter }), {
      "aria-label": `Only the ${several(each.letters, "letter")} of ${each.target}: ${each.error || each.reason}`,
    })],
  ], found.groups);
}

function list(found) {
  if (!found.letters.length) return make("div", {});
  const caption = found.count > found.letters.length ? `The ${found.letters.length} newest of ${found.count}` : "Each letter, the newest first";
  return grid(caption, [
    ["id", (each) => link(`/letters/${encodeURIComponent(each.id)}`, each.id), "id"],
    ["target", (each) => each.target || "–"],
    ["reason", (each) => each.reason],
    ["attempts", (each) => String(each.attempts), "amount"],
    ["age", (each) => age(each.at), "amount"],
    ["error", (each) => each.error || each.message, "text"],
  ], found.letters);
}

export async function showLetter(main, place, id) {
  main.replaceChildren(make("h2", { class: "path" }, link("/letters", "Dead letters"), " › ", make("span", { id: "id" }, id)));
  const letter = await ask(`/api/letters/${encodeURIComponent(id)}`);
  const done = () => location.assign("/letters");
  main.append(
    make("p", { class: "line" }, make("span", { class: "state dead_lettered" }, letter.reason || letter.kind.replace("_", " ")), link(`/calls/${encodeURIComponent(letter.id)}`, "its call's story")),
    facts([
      ["target", letter.target ? link(`/letters?target=${encodeURIComponent(letter.target)}`, letter.target) : ""],
      ["given up", time(letter.at)], ["attempts", String(letter.attempts)], ["message", letter.message], ["last error", letter.error],
      ["message id", letter.message_id], ["captured in", letter.object],
    ]),
  );
  if (letter.tries.length) {
    main.append(grid("Its tries", [
      ["when", (each) => time(each.at)], ["outcome", (each) => each.kind.replace("_", " ")], ["error", (each) => each.error, "text"],
    ], letter.tries));
  }
  if (place.operates) {
    const meant = { ids: [letter.id] };
    main.append(make("div", { class: "bar" },
      button("Redrive it …", () => decide(place, "redrive", meant, done)),
      button("Discard it …", () => decide(place, "discard", meant, done), { class: "grave" })));
  }
}

// Tries it first: what is meant and what would become of it; only what was tried can be done.
function decide(place, verb, meant, done) {
  const isRedrive = verb === "redrive";
  const why = make("input", { name: "why", maxlength: "500", autocomplete: "off" });
  const max = make("input", { name: "max", inputmode: "numeric", placeholder: "all" });
  const rate = make("input", { name: "rate", placeholder: "no limit", autocomplete: "off" });
  const canary = make("input", { name: "canary", inputmode: "numeric", placeholder: "10, above 100" });
  const outcome = make("div", { role: "status" });
  const verbs = isRedrive ? "Redrive" : "Discard";
  let agreed = null;
  const wish = () => ({
    ...meant, verb, why: why.value.trim(), rate: rate.value.trim(),
    max: max.value.trim() || null, canary: isRedrive ? canary.value.trim() || null : null,
  });
  const rehearse = button("Try it first", () => dialog.run(async () => {
    outcome.replaceChildren("Looking at each letter …");
    const found = await act("/api/letters/dry-run", wish()).catch((error) => { outcome.replaceChildren(); throw error; });
    agreed = found.count;
    outcome.replaceChildren(...tried(found, isRedrive));
  }).then(arm));
  const go = button(verbs, () => dialog.run(() => act(`/api/letters/${verb}`, { ...wish(), agreed })).then((job) => {
    if (!job) return;
    dialog.close();
    done();
    location.assign(`/jobs/${job.job}`);
  }), { class: isRedrive ? "" : "grave" });
  function arm() {
    go.disabled = !agreed || (!isRedrive && !why.value.trim());
    go.textContent = agreed === null ? verbs : `${verbs} ${several(agreed, "letter")}`;
  }
  for (const input of [max, rate, canary]) input.addEventListener("input", () => { agreed = null; arm(); });
  why.addEventListener("input", arm);
  const fields = [field("Why", why, isRedrive ? "for the audit" : "needed: the ledger and the audit keep it")];
  if (!meant.ids) fields.push(field("At most", max, "the oldest go first"), field("Rate", rate, "20/s, 30/m"));
  if (isRedrive && !meant.ids) fields.push(field("Canary", canary, "so many go first, the rest if they succeed; 0: none"));
  const what = isRedrive ? "opens the calls again, and sends them to their targets" : "throws the letters away; their calls stay given up";
  const dialog = openDialog(`${verbs}: ${meantText(meant)}`, place, what, [...fields, outcome], [rehearse, go]);
  arm();
}

function meantText(meant) {
  if (meant.ids) return meant.ids.join(", ");
  if (meant.all) return "every dead letter";
  return Object.entries(meant).map(([name, value]) => `${name.replace("_", " ")} ${value}`).join(", ");
}

function tried(found, isRedrive) {
  if (!found.count) return [make("p", {}, "No letter is meant.")];
  const parts = [make("p", {}, make("b", {}, several(found.count, "letter")), `; would be: ${counts(found.counts)}`)];
  if (isRedrive && found.canary) parts.push(make("p", {}, `${found.canary} go first; the rest if they succeed.`));
  if (isRedrive && found.has_unknown) parts.push(make("p", { class: "problem" }, "Calls given up as unknown may have run already: they may run again."));
  parts.push(grid("Which", [
    ["letters", (each) => String(each.letters), "amount"], ["target", (each) => each.target], ["reason", (each) => each.reason], ["error", (each) => each.error],
  ], found.groups));
  for (const each of found.problems.slice(0, 5)) parts.push(make("p", { class: "note" }, `${each.id}: ${each.action}: ${each.why}`));
  return parts.concat(found.notes.map((note) => make("p", { class: "note" }, note)));
}
