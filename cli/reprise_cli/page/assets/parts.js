// Pieces that the pages are made of: tables, facts, times, buttons.

import { duration, instant } from "/assets/format.js";
import { make } from "/assets/widgets.js";

export function time(text) {
  return text ? make("time", { datetime: text, title: text }, instant(text).slice(0, 19)) : "–";
}

export function age(text, now = Date.now()) {
  const node = time(text);
  if (node !== "–") node.textContent = duration(Math.max(0, Math.round((now - new Date(text)) / 1000)));
  return node;
}

export function button(text, work, attributes = {}) {
  const node = make("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", () => work(node));
  return node;
}

export function link(href, ...children) {
  return make("a", { href }, ...children);
}

// Columns are [name, cell of a row, class]; on a phone each cell says its column.
export function grid(caption, columns, rows, mark = () => null) {
  const head = make("tr", {}, ...columns.map(([name, , kind]) => make("th", { scope: "col", class: kind ?? null }, name)));
  const body = rows.map((row) =>
    make("tr", { class: mark(row) }, ...columns.map(([name, cell, kind]) =>
      make("td", { class: kind ?? null, "data-name": name }, ...[cell(row)].flat()))),
  );
  const table = make("table", { class: "grid" }, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "wide" }, table);
}

export function facts(pairs) {
  const list = make("dl", { class: "facts" });
  for (const [name, ...what] of pairs) {
    if (what.some((each) => each !== "" && each !== null && each !== undefined)) {
      list.append(make("dt", {}, name), make("dd", {}, ...what.filter((each) => each !== null && each !== undefined)));
    }
  }
  return list;
}

// Words in backticks are commands.
export function words(text) {
  return text.split("`").map((piece, place) => (place % 2 ? make("code", {}, piece) : piece));
}

export function several(count, what) {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

export function counts(found) {
  return Object.entries(found).map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`).join(", ");
}
