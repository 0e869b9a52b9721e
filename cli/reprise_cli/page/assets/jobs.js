// What was done with dead letters: by whom, why, and what became of each. A job that runs is watched here.

import { act, ask, repeat } from "/assets/api.js";
import { openDialog } from "/assets/dialog.js";
import { clear, fail, short, speak } from "/assets/frame.js";
import { button, counts, facts, grid, link, several, time, words } from "/assets/parts.js";
import { make } from "/assets/widgets.js";

const NAMES = { canary_failed: "stopped: canary failed", canary_open: "stopped: canary not ended", open: "open, or killed" };
const ENDED = new Set(["done", "running"]);
const name = (state) => NAMES[state] ?? state;

export async function showJobs(main) {
  const { jobs, count } = await ask("/api/jobs");
  const table = grid(`The ${jobs.length} newest of ${several(count, "job")}`, [
    ["job", (job) => link(`/jobs/${job.id}`, job.id), "id"],
    ["did", (job) => job.verb],
    ["state", (job) => name(job.state)],
    ["letters", (job) => String(job.count), "amount"],
    ["by", (job) => short(job.by)],
    ["why", (job) => job.why, "text"],
    ["became", (job) => counts(job.counts)],
  ], jobs, (job) => (ENDED.has(job.state) ? null : "bad"));
  main.replaceChildren(make("h2", { class: "path" }, "Jobs"), make("p", { class: "note" }, "Who redrove or discarded which letters, when and why."),
    jobs.length ? table : make("p", {}, "None yet."));
}

export async function showJob(main, place, id) {
  const title = make("h2", { class: "path" }, link("/jobs", "Jobs"), " › ", make("span", { id: "id" }, id));
  const body = make("div", {});
  main.replaceChildren(title, body);
  let before = null;
  const look = repeat(async () => {
    try {
      const job = await ask(`/api/jobs/${id}`);
      clear();
      show(job);
      return job.state === "running" ? 2 : null;
    } catch (error) {
      fail(error);
      return 5;
    }
  });

  function show(job) {
    const done = job.count - job.left;
    const now = { at: Date.now(), done };
    const rate = before && now.done > before.done ? (now.done - before.done) / ((now.at - before.at) / 1000) : null;
    before ??= now;
    const bar = make("progress", { max: String(job.count), value: String(done), "aria-label": `${done} of ${job.count} letters` });
    const left = job.state === "running" && rate ? `, ${several(Math.ceil(job.left / rate), "second")} to go` : "";
    body.replaceChildren(
      make("p", { class: "line" }, make("span", { class: `state ${job.state === "done" ? "succeeded" : ENDED.has(job.state) ? "" : "dead_lettered"}` }, name(job.state)), bar, `${done} of ${job.count}${left}`),
      facts([
        ["did", `${job.verb} of ${several(job.count, "letter")}`], ["by", job.by], ["gone on with by", job.by_now && job.by_now !== job.by ? job.by_now : ""],
        ["why", job.why], ["began", time(job.started_at)], ["last word", job.state === "running" ? "" : time(job.at)], ["canary", job.canary ? String(job.canary) : ""],
        ["rate", job.rate_per_s ? `${job.rate_per_s}/s` : ""], ["chosen by", Object.entries(job.filters ?? {}).map(([key, value]) => `${key} ${value}`).join(", ")],
        ["stopped by", job.why_stopped], ["became", counts(job.counts)],
      ]),
      ...ways(job),
      grid("By what became of them", [
        ["letters", (each) => String(each.letters), "amount"], ["became", (each) => each.became.replaceAll("_", " ")], ["target", (each) => each.target],
        ["reason", (each) => each.reason], ["error", (each) => each.error, "text"],
      ], job.groups),
      grid(job.count > job.letters.length ? `The first ${job.letters.length} letters` : "Its letters", [
        ["id", (each) => link(`/calls/${encodeURIComponent(each.id)}`, each.id), "id"], ["became", (each) => (each.action ?? "").replaceAll("_", " ")],
        ["at", (each) => time(each.at)], ["target", (each) => each.target], ["why", (each) => each.why ?? "", "text"],
      ], job.letters),
    );
    speak(`${name(job.state)}, ${done} of ${job.count}`);
  }

  function ways(job) {
    if (job.state === "done" && !job.left) return [];
    if (!place.operates) return job.state === "done" ? [] : [make("p", { class: "note" }, ...words(`To go on: \`reprise dlq ${job.verb} --resume ${job.id}\``))];
    if (job.state === "running") return [make("div", { class: "bar" }, button("Stop", () => act("/api/jobs/stop", { job: job.id }).then(look, fail)))];
    const parts = [button("Go on …", () => goOn(job, false))];
    if (job.canary) parts.push(button("Go on without the canary …", () => goOn(job, true), { class: "grave" }));
    return [make("div", { class: "bar" }, ...parts)];
  }

  function goOn(job, withoutCanary) {
    const what = `${job.verb} of the ${several(job.left, "letter")} that are left${withoutCanary ? ", whatever became of the first" : ""}`;
    const go = button(`Go on with ${several(job.left, "letter")}`, () =>
      dialog.run(() => act("/api/jobs/go-on", { job: job.id, no_canary: withoutCanary })).then((found) => {
        if (!found) return;
        dialog.close();
        before = null;
        setTimeout(look, 300);
      }));
    const dialog = openDialog(`Go on with ${job.id}`, place, what, [], [go]);
  }
}
