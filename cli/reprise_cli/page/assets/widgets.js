// The widgets that are no charts: text, numbers, bars, tables, alarms. Text goes in as text, never as HTML,
// save what the server has made of markdown (which escapes HTML, and allows no images).

import { last, value } from "/assets/format.js";
import { seriesColor } from "/assets/theme.js";

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) {
    if (name === "class") node.className = given;
    else if (given !== null && given !== undefined) node.setAttribute(name, given);
  }
  node.append(...children);
  return node;
}

export function text(body, widget) {
  const article = make("div", { class: "markdown" });
  article.innerHTML = widget.html;
  for (const link of article.querySelectorAll("a")) link.rel = "noreferrer";
  body.replaceChildren(article);
}

export function numbers(body, widget) {
  const cells = widget.series.map((series, place) => {
    const number = make("strong", {}, value(last(series.values), series.unit || widget.axes.left.unit));
    const label = make("span", {}, series.label);
    const cell = make("div", { class: "number" }, number, label);
    cell.style.setProperty("--mark", seriesColor(series.color, place, series.label));
    if (widget.sparkline) cell.append(sparkline(series.values));
    return cell;
  });
  body.replaceChildren(make("div", { class: "numbers" }, ...cells));
}

function sparkline(values) {
  const [width, height] = [100, 24];
  const known = [...values.entries()].filter(([, each]) => each !== null);
  const most = Math.max(1e-9, ...known.map(([, each]) => each));
  const points = known.map(([at, each]) => {
    const x = (at * width) / Math.max(1, values.length - 1);
    return `${x.toFixed(1)},${(height - 1 - ((height - 2) * Math.max(0, each)) / most).toFixed(1)}`;
  });
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  for (const [name, given] of [["viewBox", `0 0 ${width} ${height}`], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) {
    svg.setAttribute(name, given);
  }
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return svg;
}

export function bars(body, widget) {
  const found = widget.series.map((series, place) => ({ series, place, number: last(series.values) }));
  const most = Math.max(1e-9, ...found.map(({ number }) => number ?? 0));
  const rows = found.map(({ series, place, number }) => {
    const bar = make("i", {});
    bar.style.width = `${(100 * (number ?? 0)) / most}%`;
    bar.style.background = seriesColor(series.color, place, series.label);
    return make(
      "tr", {},
      make("th", { scope: "row" }, series.label),
      make("td", { class: "bar" }, bar),
      make("td", { class: "amount" }, value(number, series.unit)),
    );
  });
  body.replaceChildren(make("table", { class: "bars" }, make("tbody", {}, ...rows)));
}

export function table(body, widget) {
  const rows = widget.series.map((series) =>
    make(
      "tr", {},
      make("th", { scope: "row" }, series.label),
      make("td", { class: "amount" }, value(last(series.values), series.unit)),
    ),
  );
  body.replaceChildren(make("table", { class: "bars" }, make("tbody", {}, ...rows)));
}

const CLASSES = { OK: "ok", ALARM: "firing" };
const STATES = { INSUFFICIENT_DATA: "no data" };
const SIGNS = { OK: "✓", ALARM: "!", INSUFFICIENT_DATA: "…" };

export function alarms(body, widget, prefix) {
  const cells = widget.alarms.map((alarm) =>
    make(
      "li", { class: CLASSES[alarm.state] ?? "", title: `${alarm.name}: ${alarm.reason}` },
      make("b", { "aria-hidden": "true" }, SIGNS[alarm.state] ?? "?"),
      make("span", {}, alarm.name.startsWith(prefix) ? alarm.name.slice(prefix.length) : alarm.name),
      make("small", { class: alarm.state in CLASSES ? "unseen" : "" }, STATES[alarm.state] ?? alarm.state.toLowerCase()),
    ),
  );
  body.replaceChildren(make("ul", { class: "alarms" }, ...cells));
}

export function note(body, widget) {
  const parts = widget.query ? [make("pre", {}, widget.query)] : [];
  body.replaceChildren(make("p", { class: "note" }, widget.problem ?? ""), ...parts);
}
