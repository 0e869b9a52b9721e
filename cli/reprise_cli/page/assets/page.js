// The dashboard page: asks for the drawn dashboard, lays it out, and again at every refresh.
// What is chosen stands in the address, so that a link shows the same.

import { ask, repeat } from "/assets/api.js";
import { Chart } from "/assets/chart.js";
import { clock, duration } from "/assets/format.js";
import { by, fail, clear, startFrame } from "/assets/frame.js";
import { startLive } from "/assets/live.js";
import { startRange } from "/assets/range.js";
import { startTheme } from "/assets/theme.js";
import { namedTitle, nameTile } from "/assets/tiles.js";
import { alarms, bars, make, note, numbers, table, text } from "/assets/widgets.js";

const VARIABLE = "var.";
const TARGET = "var.target";
const REMEMBERED = "reprise-target";
const BETWEEN = "between";
const NOT_OURS = new Set(["theme", "refresh"]);
const VIEWS = { singleValue: numbers, gauge: numbers, bar: bars, pie: bars, table };

const choices = new URLSearchParams(location.search);
const cards = [];
let shape = "";
let refreshS = null;
let newest = 0;
let shownDocument = null;
let live = null;

async function draw() {
  const mine = ++newest;
  const asked = new URLSearchParams([...choices].filter(([name]) => !NOT_OURS.has(name)));
  try {
    const answer = await ask(`/api/dashboard?${asked}`);
    if (mine !== newest) return;
    show(answer);
    clear();
  } catch (error) {
    if (mine !== newest) return;
    fail(error);
  }
  by("widgets").setAttribute("aria-busy", "false");
  // What is past does not change.
  const isOff = choices.get("refresh") === "off" || choices.get("to");
  return isOff ? null : refreshS ?? 10;
}

function show(answer) {
  shownDocument = answer;
  refreshS = answer.refresh_s;
  by("updated").textContent =
    `${clock(Date.now() / 1000)}, times of ${Intl.DateTimeFormat().resolvedOptions().timeZone}. ` +
    "Move over a chart, or reach it by Tab and use the arrow keys, to read its values.";
  fillSelect(by("range"), answer.ranges.map((name) => ({ value: name, label: name === BETWEEN ? "between …" : name })), answer.range);
  if (answer.range === BETWEEN) between.open(answer.start_s * 1000, answer.end_s * 1000);
  else between.close();
  fillSelect(
    by("refresh"),
    [{ value: "auto", label: `every ${duration(answer.refresh_s)}` }, { value: "off", label: "off" }],
    choices.get("refresh") ?? "auto",
  );
  fillSelect(
    by("period"),
    answer.periods.map((name) => ({ value: name, label: name === "auto" ? "as designed" : name })),
    answer.period,
  );
  showVariables(answer.variables);
  const newShape = JSON.stringify(answer.widgets.map(({ type, view, x, y, width, height }) => [type, view, x, y, width, height]));
  if (newShape !== shape) layOut(answer.widgets);
  shape = newShape;
  answer.widgets.forEach((widget, place) => cards[place].show(widget));
}

function fillSelect(select, options, current) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(({ value, label }) => make("option", { value }, label)));
    select.dataset.options = wanted;
  }
  select.value = current;
}

function showVariables(variables) {
  const place = by("variables");
  if (place.dataset.ids !== JSON.stringify(variables.map(({ id }) => id))) {
    place.dataset.ids = JSON.stringify(variables.map(({ id }) => id));
    place.replaceChildren(
      ...variables.map(({ id, label }) => {
        const select = make("select", { "data-variable": id });
        select.addEventListener("change", () => choose(VARIABLE + id, select.value));
        return make("label", {}, `${label} `, select);
      }),
    );
  }
  for (const variable of variables) {
    fillSelect(place.querySelector(`[data-variable="${CSS.escape(variable.id)}"]`), variable.values, variable.current);
  }
}

function choose(name, value) {
  choices.set(name, value);
  if (name === TARGET) localStorage.setItem(REMEMBERED, value);
  history.replaceState(null, "", `?${choices}`);
  refresh();
}

function target() {
  return shownDocument?.variables.find(({ id }) => VARIABLE + id === TARGET)?.current ?? choices.get(TARGET) ?? "";
}

function layOut(widgets) {
  for (const card of cards) card.destroy();
  cards.length = 0;
  const placed = widgets.map((widget, place) => ({ widget, place })).sort(
    (a, b) => a.widget.y - b.widget.y || a.widget.x - b.widget.x,
  );
  // In reading order, so that Tab and a narrow screen follow it.
  const made = placed.map(({ widget, place }) => {
    cards[place] = new Card(widget);
    return cards[place].node;
  });
  by("widgets").replaceChildren(...made);
}

class Card {
  constructor(widget) {
    this.heading = make("h2", {});
    this.period = make("small", {});
    this.body = make("div", { class: "body" });
    this.problem = make("p", { class: "problem", hidden: "" });
    const head = make("div", { class: "head" }, this.heading, make("time", { class: "at" }), this.period);
    this.node = make("section", { class: `card ${widget.type} ${widget.view ?? ""}` }, head, this.problem, this.body);
    this.node.style.setProperty("--x", widget.x + 1);
    this.node.style.setProperty("--y", widget.y + 1);
    this.node.style.setProperty("--width", widget.width);
    this.node.style.setProperty("--height", widget.height);
  }

  show(widget) {
    this.node.classList.toggle("clear", widget.background === "transparent");
    this.title = widget.title ?? "";
    this.heading.textContent = namedTitle(this.title, target());
    this.heading.parentElement.hidden = !widget.title;
    this.problem.hidden = !widget.problem || widget.type !== "metric";
    this.problem.textContent = widget.problem ?? "";
    const isChart = widget.type === "metric" && !(widget.view in VIEWS);
    this.period.textContent = isChart ? `per ${duration(widget.period_s)}` : "";
    if (isChart) this.showChart(widget);
    else if (widget.type === "metric") VIEWS[widget.view](this.body, widget);
    else if (widget.html !== undefined) text(this.body, widget);
    else if (widget.alarms !== undefined) alarms(this.body, widget, `${shownDocument.name}-`);
    else note(this.body, widget);
    this.name();
  }

  name() {
    nameTile(this.body, this.title, live, Boolean(choices.get("to")));
  }

  showChart(widget) {
    const isEmpty = !widget.series.some(({ values }) => values.some((each) => each !== null));
    this.node.classList.toggle("empty", isEmpty);
    if (this.chart) this.chart.show(widget);
    else {
      this.chart = new Chart(this.body, widget, (words) => (by("spoken").textContent = words));
      this.observer = new ResizeObserver(() => this.chart.resize());
      this.observer.observe(this.chart.body);
    }
  }

  destroy() {
    this.observer?.disconnect();
    this.chart?.destroy();
  }
}

const between = startRange(by("between"), (from, to) => {
  choices.delete("range");
  choices.set("from", from);
  if (to) choices.set("to", to);
  else choices.delete("to");
  choose("refresh", to ? "off" : choices.get("refresh") ?? "auto");
});
by("range").addEventListener("change", (event) => {
  if (event.target.value === BETWEEN) return between.open(shownDocument.start_s * 1000, shownDocument.end_s * 1000);
  if (choices.get("from")) choices.delete("refresh");
  choices.delete("from");
  choices.delete("to");
  choose("range", event.target.value);
});
by("period").addEventListener("change", (event) => choose("period", event.target.value));
by("refresh").addEventListener("change", (event) => choose("refresh", event.target.value));
by("now").addEventListener("click", () => refresh());
by("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`/calls/${encodeURIComponent(by("call-id").value.trim())}`);
});
startTheme(by("theme"), () => {
  if (shownDocument) show(shownDocument);
});

let refresh = () => {};

// The target that was looked at last; without one, that whose backlog is the longest.
async function start() {
  const place = await startFrame();
  const found = await new Promise((resolve) => {
    startLive(place, by("live"), {
      chosen: target,
      choose: (name) => choose(TARGET, name),
      told: (top) => {
        live = top;
        for (const card of cards) card.name();
        resolve(top.targets);
      },
    });
    setTimeout(() => resolve([]), 3000);
  });
  const remembered = localStorage.getItem(REMEMBERED);
  const known = found.map((line) => line.target);
  const first = known.includes(remembered) ? remembered : found.find((line) => line.backlog)?.target;
  if (first && !choices.get(TARGET)) choices.set(TARGET, first);
  refresh = repeat(draw);
}

start().catch((error) => {
  fail(error);
  by("widgets").setAttribute("aria-busy", "false");
});
