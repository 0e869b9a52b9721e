// What was done with dead letters: by whom, why, and what became of each. A job that runs is watched here.

import { act, ask, repeat } from "/assets/api.js";
import { duration } from "/assets/format.js";
import { openDialog } from "/assets/dialog.js";
import { clear, fail, short, speak } from "/assets/frame.js";
import { button, counts, facts, grid, link, several, time, words } from "/assets/parts.js";
import { make } from "/assets/widgets.js";

const NAMES = { canary_failed: "stopped: canary failed", canary_open: "stopped: canary not ended", open: "open, or killed" };
const GOES = new Set(["done", "running", "planned", "waiting for its next run"]);
const SOON_MS = 300;
// Jobs of other verbs have calls, and no letters.
const what = (job) => (["redrive", "discard"].includes(job.verb) ? "letter" : "call");
const name = (state) => NAMES[state] ?? state;

export async function showJobs(main) {
  const { jobs, count } = await ask("/api/jobs");
  const table = grid(`The ${jobs.length} newest of ${several(count, "job")}`, [
    ["job", (job) => link(`/jobs/${job.id}`, job.id), "id"],
    ["did", (job) => job.verb],
    ["state", (job) => name(job.state)],
    ["of", (job) => several(job.count, what(job)), "amount"],
    ["by", (job) => short(job.by)],
    ["why", (job) => job.why, "text"],
    ["became", (job) => counts(job.counts)],
  ], jobs, (job) => (GOES.has(job.state) ? null : "bad"));
  main.replaceChildren(make("h2", { class: "path" }, "Jobs"), make("p", { class: "note" }, "Who redrove, discarded, replayed or cancelled what, when and why."),
    jobs.length ? table : make("p", {}, "None yet."));
}

export async function showJob(main, place, id) {
  const title = make("h2", { class: "path" }, link("/jobs", "Jobs"), " › ", make("span", { id: "id" }, id));
  const body = make("div", {});
  main.replaceChildren(title, body);
  const look = repeat(async () => {
    try {
      const job = await ask(`/api/jobs/${id}`);
      clear();
      show(job);
      return job.is_of_stack && !job.has_ended ? 2 : null;
    } catch (error) {
      fail(error);
      return 5;
    }
  });

  function show(job) {
    const done = job.count - job.left;
    const bar = make("progress", { max: String(job.count), value: String(done), "aria-label": `${done} of ${job.count} ${what(job)}s` });
    const left = !job.has_ended && job.left_s !== null ? `, ${duration(Math.ceil(job.left_s))} to go` : "";
    body.replaceChildren(
      make("p", { class: "line" }, make("span", { class: `state ${job.state === "done" ? "succeeded" : GOES.has(job.state) ? "" : "dead_lettered"}` }, name(job.state)), bar, `${done} of ${job.count}${left}`),
      facts([
        ["did", `${job.verb} of ${several(job.count, what(job))}`], ["by", job.by], ["gone on with by", job.by_now && job.by_now !== job.by ? job.by_now : ""],
        ["why", job.why], ["began", time(job.started_at)], ["last kept", time(job.at)], ["canary", job.canary ? String(job.canary) : ""],
        ["rate", job.rate_per_s ? `${job.rate_per_s}/s` : ""], ["chosen by", Object.entries(job.filters ?? {}).map(([key, value]) => `${key} ${value}`).join(", ")],
        ["stopped by", job.why_stopped], ["became", counts(job.counts)],
      ]),
      ...ways(job),
      grid("By what became of them", [
        [`${what(job)}s`, (each) => String(each.letters), "amount"], ["became", (each) => each.became.replaceAll("_", " ")], ["target", (each) => each.target],
        ["reason", (each) => each.reason], ["error", (each) => each.error, "text"],
      ], job.groups),
      grid(job.count > job.letters.length ? `The first ${job.letters.length} ${what(job)}s` : `Its ${what(job)}s`, [
        ["id", (each) => link(`/calls/${encodeURIComponent(each.id)}`, each.id), "id"], ["became", (each) => (each.action ?? "").replaceAll("_", " ")],
        ["at", (each) => time(each.at)], ["target", (each) => each.target], ["why", (each) => each.why ?? "", "text"],
      ], job.letters),
    );
    speak(`${name(job.state)}, ${done} of ${job.count}`);
  }

  function ways(job) {
    if (job.has_ended && !job.left) return [];
    if (!place.operates || !job.is_of_stack) return [make("p", { class: "note" }, ...words(what(job) === "call" ? "The command that began it goes on with it." : job.has_ended || !job.is_of_stack ? `To go on: \`${job.again}\`` : "The stack runs it."))];
    if (!job.has_ended) return [make("div", { class: "bar" }, button("Stop …", () => stop(job), { class: "grave" }))];
    const parts = [button("Go on …", () => goOn(job, false))];
    if (job.canary) parts.push(button("Go on without the canary …", () => goOn(job, true), { class: "grave" }));
    return [make("div", { class: "bar" }, ...parts)];
  }

  function stop(job) {
    const go = button("Stop it", () => dialog.run(() => act("/api/jobs/stop", { job: job.id })).then((found) => found && again(dialog)), { class: "grave" });
    const dialog = openDialog(`Stop ${job.id}`, place, "stops within ten seconds; what is left stays where it is, and can be gone on with", [], [go]);
  }

  function again(dialog) {
    dialog.close();
    setTimeout(look, SOON_MS);
  }

  function goOn(job, withoutCanary) {
    const what = `${job.verb} of the ${several(job.left, "letter")} that are left${withoutCanary ? ", whatever became of the first" : ""}`;
    const go = button(`Go on with ${several(job.left, "letter")}`, () =>
      dialog.run(() => act("/api/jobs/go-on", { job: job.id, no_canary: withoutCanary })).then((found) => found && again(dialog)));
    const dialog = openDialog(`Go on with ${job.id}`, place, what, [], [go]);
  }
}
