// The targets as `reprise top` shows them, every few seconds, and what is wrong: before any alarm.

import { ask, repeat } from "/assets/api.js";
import { clock, duration, value } from "/assets/format.js";
import { speak } from "/assets/frame.js";
import { button, link, words } from "/assets/parts.js";
import { switchButton } from "/assets/switch.js";
import { make } from "/assets/widgets.js";

const FRESH_S = 90;
const WAYS = { "/runbooks/holding": "runbook", "/letters": "letters", "/policy": "policy" };

export function startLive(place, node, { chosen, choose, told }) {
  const wrong = make("ul", { class: "wrong", "aria-label": "What is wrong now" });
  const targets = make("div", {});
  const at = make("small", {});
  const problem = make("p", { class: "problem", role: "alert", hidden: "" });
  const done = make("p", { class: "good", role: "status" });
  node.replaceChildren(make("h2", {}, "Now ", at), problem, wrong, done, targets);
  const look = repeat(async () => {
    try {
      const top = await ask("/api/top");
      problem.hidden = true;
      show(top);
      told(top);
      return top.refresh_s;
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      return 5;
    }
  });
  let last = null;

  function show(top) {
    last = top;
    at.textContent = `${clock(new Date(top.at) / 1000)}, every ${duration(top.refresh_s)}`;
    const items = top.wrong.map(({ text, href }) =>
      make("li", {}, make("b", { "aria-hidden": "true" }, "!"), make("span", {}, ...words(text)), link(href, WAYS[href])));
    const said = JSON.stringify(top.wrong.map(({ text }) => text.replace(/\d+(\.\d+)?[dhms]/g, "")));
    // Spoken again only if something else is wrong, not with each second that it lasts.
    if (wrong.dataset.said !== said) {
      wrong.dataset.said = said;
      speak(top.wrong.map(({ text }) => text).join(". ") || "Nothing is wrong.");
    }
    wrong.replaceChildren(...(items.length ? items : [make("li", { class: "fine" }, "✓ Nothing is wrong: no hold, no pause, no dead letter, and a valid policy.")]));
    // Behind a dialog it stays as it is: the button that opened it gets the keyboard back.
    if (!document.querySelector("dialog[open]")) targets.replaceChildren(table(top.targets));
  }

  function table(lines) {
    const most = Math.max(1, ...lines.map(({ backlog }) => backlog));
    const names = ["target", "gate", "window", "backlog", "ended/s", "oldest", "done in", "given up", ""];
    const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name || make("span", { class: "unseen" }, "act"))));
    const focused = document.activeElement?.dataset?.key;
    const body = lines.map((line) => row(line, most));
    const made = make("table", { class: "grid live" }, make("caption", { class: "unseen" }, "Targets now"), make("thead", {}, head), make("tbody", {}, ...body));
    // The table is made anew every few seconds: who has the keyboard on a button of it keeps it there.
    if (focused) queueMicrotask(() => node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true }));
    return make("div", { class: "wide" }, made);
  }

  function row(line, most) {
    const bar = make("i", { class: "share" });
    bar.style.width = `${(100 * line.backlog) / most}%`;
    const isChosen = line.target === chosen();
    // A target that is allowed by a pattern stands for several functions, which calls, letters and policy name.
    const query = line.target.includes("*") ? "" : `?target=${encodeURIComponent(line.target)}`;
    const pick = button(line.target, () => { choose(line.target); show(last); }, {
      class: "pick", "aria-pressed": String(isChosen), title: "Show its charts", "data-key": `pick ${line.target}`,
    });
    const acts = place.operates && query ? switchButton(place, line, (text) => { done.textContent = text; look(); }) : "";
    if (acts) acts.dataset.key = `switch ${line.target}`;
    const cells = [
      ["target", pick], ["gate", gate(line)], ["window", line.window === null ? "–" : value(Math.round(line.window * 10) / 10)],
      ["backlog", make("a", { href: `/calls${query}`, "aria-label": `${line.backlog} calls of ${line.target} wait`, "data-key": `calls ${line.target}` }, String(line.backlog), bar)],
      ["ended/s", line.rate_per_s === null ? "–" : value(Math.round(line.rate_per_s * 10) / 10)], ["oldest", oldest(line)],
      ["done in", line.backlog && line.eta_s !== null ? duration(Math.round(line.eta_s)) : "–"],
      ["given up", make("a", { href: `/letters${query}`, "aria-label": `${line.dead_lettered} calls of ${line.target} were given up: dead letters`, "data-key": `letters ${line.target}` }, String(line.dead_lettered))],
      ["", acts],
    ];
    return make("tr", { class: isChosen ? "chosen" : null }, ...cells.map(([title, cell]) => make("td", { "data-name": title }, cell)));
  }
}

function gate(line) {
  if (line.paused) return make("b", { class: "bad", title: line.paused.why }, "paused");
  if (line.state === null) return "–";
  const held = line.held_s ? ` ${duration(Math.round(line.held_s))}` : "";
  return make("b", { class: { flowing: "good", probing: "wait", holding: "bad" }[line.state] ?? null }, line.state + held);
}

function oldest(line) {
  if (line.oldest_s === null) return "–";
  const stale = line.oldest_measured_ago_s >= FRESH_S ? `, ${duration(Math.round(line.oldest_measured_ago_s))} ago` : "";
  return duration(Math.round(line.oldest_s)) + stale;
}
