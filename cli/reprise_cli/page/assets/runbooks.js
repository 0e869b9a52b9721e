// The runbooks of this version, as the server reads them.

import { ask } from "/assets/api.js";
import { link } from "/assets/parts.js";
import { make, text } from "/assets/widgets.js";

export async function showRunbooks(main) {
  const { runbooks } = await ask("/api/runbooks");
  const items = runbooks.map(({ name, title }) => make("li", {}, link(`/runbooks/${name}`, title)));
  main.replaceChildren(make("h2", { class: "path" }, "Runbooks"), make("ul", { class: "titles" }, ...items));
}

export async function showRunbook(main, _place, name) {
  const found = await ask(`/api/runbooks/${encodeURIComponent(name)}`);
  const body = make("article", {});
  text(body, found);
  main.replaceChildren(make("h2", { class: "path" }, link("/runbooks", "Runbooks"), " › ", found.title), body);
}
