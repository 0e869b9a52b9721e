// Tiles name their target, and lead to what they count.

import { link } from "/assets/parts.js";
import { make } from "/assets/widgets.js";

// By title, as infra/dashboard has it: which target is meant, and where its calls are.
const TILES = {
  "How many calls wait?": { worst: (line) => line.backlog, words: "most of", href: () => "/calls" },
  "How old is the oldest?": { worst: (line) => (line.backlog ? line.oldest_s : 0), words: "of", href: callsOf },
  "How long until all are done?": { worst: (line) => (line.backlog ? line.eta_s : 0), words: "longest for", href: callsOf },
  "How long has a gate held?": { worst: (line) => line.held_s, words: "that of", href: () => "/runbooks/holding" },
  "How many need a person?": { words: "dead letters, of all targets", href: () => "/letters" },
  "How many were captured?": { words: "calls, of all targets" },
};

function callsOf(target) {
  return target ? `/calls?target=${encodeURIComponent(target)}` : "/calls";
}

export function nameTile(body, title, lines) {
  const tile = TILES[title];
  const label = body.querySelector(".number span");
  if (!tile || !label) return;
  const line = tile.worst && [...lines].sort((a, b) => (tile.worst(b) ?? 0) - (tile.worst(a) ?? 0))[0];
  const target = line && tile.worst(line) ? line.target : "";
  const text = tile.worst ? (target ? `${tile.words} ${target}` : "all targets") : tile.words;
  label.replaceChildren(tile.href ? link(tile.href(target), text) : make("span", {}, text));
}

// "Chosen target" is what CloudWatch's console has to say; here its name is known.
export function namedTitle(title, target) {
  return target ? title.replace(/^Chosen target\b/, target) : title;
}
