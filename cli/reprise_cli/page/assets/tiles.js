// Tiles name their target, and lead to what they count.

import { value } from "/assets/format.js";
import { link } from "/assets/parts.js";

// Where it is not known of one target, it is not known of all.
function most(lines, of) {
  const found = lines.map(of);
  return found.includes(null) ? null : Math.max(0, ...found);
}

// By title, as infra/dashboard has it: whose number it is, what `top` says by now, and where its calls are.
const TILES = {
  "How many calls wait?": { of: (line) => line.backlog, now: ({ targets }) => targets.reduce((sum, line) => sum + line.backlog, 0), words: "most of", href: callsOf },
  "How old is the oldest?": { of: (line) => (line.backlog ? line.oldest_s : 0), words: "of", href: callsOf },
  "How long until all are done?": { of: (line) => line.eta_s, words: "longest for", href: callsOf },
  "How long has a gate held?": { of: (line) => line.held_s ?? 0, words: "that of", href: () => "/runbooks/holding" },
  "How many need a person?": { now: (top) => top.dead_letters, words: "dead letters, of all targets", href: () => "/letters" },
  "How many were captured?": { words: "calls, of all targets" },
};

function callsOf(target) {
  return target && !target.includes("*") ? `/calls?target=${encodeURIComponent(target)}` : "/calls";
}

// Metrics come by the minute: what the targets say now is newer, if the range goes on until now.
export function nameTile(body, title, top, isPast) {
  const tile = TILES[title];
  const label = body.querySelector(".number span");
  if (!tile || !label || !top) return;
  const worst = tile.of && [...top.targets].sort((a, b) => (tile.of(b) ?? 0) - (tile.of(a) ?? 0))[0];
  const target = worst && tile.of(worst) && !isPast ? worst.target : "";
  const text = target ? `${tile.words} ${target}` : tile.of ? "of all targets" : tile.words;
  label.replaceChildren(tile.href ? link(tile.href(target), text) : text);
  const now = tile.now ? tile.now(top) : tile.of && most(top.targets, tile.of);
  if (isPast || now === undefined) return;
  body.querySelector("strong").textContent = value(now, tile.now ? "Count" : "Seconds");
}

// "Chosen target" is what CloudWatch's console has to say; here its name is known.
export function namedTitle(title, target) {
  return target ? title.replace(/^Chosen target\b/, target) : title;
}
