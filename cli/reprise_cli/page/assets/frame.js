// What every page has: the way to the others, where it works, and whether it may change anything.

import { ask, mayOperate } from "/assets/api.js";
import { make } from "/assets/widgets.js";

const PAGES = [
  ["/", "Dashboard"], ["/calls", "Calls"], ["/letters", "Letters"], ["/jobs", "Jobs"], ["/policy", "Policy"],
  ["/runbooks", "Runbooks"],
];

export const by = (id) => document.getElementById(id);

const isHere = (path) => location.pathname === path || (path !== "/" && location.pathname.startsWith(`${path}/`));

export async function startFrame() {
  const links = PAGES.map(([path, name]) =>
    make("a", { href: path, "aria-current": isHere(path) ? "page" : null }, name),
  );
  by("nav").replaceChildren(...links);
  const place = await ask("/api/place");
  by("name").textContent = place.stack;
  by("place").textContent = place.place;
  by("mode").textContent = operator(place) ? `operates as ${short(place.operator)}` : "read only";
  by("mode").title = place.operator || "reprise dashboard --operate prints an address that may change things";
  by("mode").classList.toggle("operates", Boolean(operator(place)));
  return { ...place, operates: Boolean(operator(place)) };
}

function operator(place) {
  return mayOperate() && place.operator;
}

// Where something is about to be changed, as the command says it.
export function placeLine(place) {
  const words = [`stack ${place.stack}`, place.is_local ? `the local engine at ${place.place}` : place.place];
  if (place.account) words.push(`account ${place.account}`);
  return words.join(", ");
}

export function short(arn) {
  return arn.split(":").at(-1);
}

export function fail(error) {
  by("problem").textContent = error.message;
  by("problem").hidden = false;
}

export function clear() {
  by("problem").hidden = true;
}

// Screen readers speak it; said again only if it is another.
export function speak(words) {
  if (by("spoken").textContent !== words) by("spoken").textContent = words;
}
