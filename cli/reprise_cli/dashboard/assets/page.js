// The dashboard page: asks for the drawn dashboard, lays it out, and again at every refresh.
// What is chosen stands in the address, so that a link shows the same.

import { ask } from "/assets/api.js";
import { Chart } from "/assets/chart.js";
import { clock, duration } from "/assets/format.js";
import { startTheme } from "/assets/theme.js";
import { alarms, bars, make, note, numbers, table, text } from "/assets/widgets.js";

const by = (id) => document.getElementById(id);
const VARIABLE = "var.";
const NOT_OURS = new Set(["theme"]);
const VIEWS = { singleValue: numbers, gauge: numbers, bar: bars, pie: bars, table };

const choices = new URLSearchParams(location.search);
const cards = [];
let shape = "";
let timer = 0;
let refreshS = null;
let newest = 0;
let shownDocument = null;

async function refresh() {
  clearTimeout(timer);
  const mine = ++newest;
  const asked = new URLSearchParams([...choices].filter(([name]) => !NOT_OURS.has(name) && name !== "refresh"));
  try {
    const answer = await ask(`/api/dashboard?${asked}`);
    if (mine !== newest) return;
    show(answer);
    by("problem").hidden = true;
  } catch (error) {
    if (mine !== newest) return;
    by("problem").textContent = error.message;
    by("problem").hidden = false;
  }
  by("widgets").setAttribute("aria-busy", "false");
  const wait = choices.get("refresh") === "off" ? null : refreshS ?? 10;
  if (wait) timer = setTimeout(() => (document.hidden ? waitForReader() : refresh()), wait * 1000);
}

function waitForReader() {
  document.addEventListener("visibilitychange", refresh, { once: true });
}

function show(answer) {
  shownDocument = answer;
  refreshS = answer.refresh_s;
  by("name").textContent = answer.name;
  by("place").textContent = answer.place;
  showNotices((answer.notices ?? []).join("\n"));
  by("updated").textContent =
    `${clock(Date.now() / 1000)}, times of ${Intl.DateTimeFormat().resolvedOptions().timeZone}. ` +
    "Move over a chart, or reach it by Tab and use the arrow keys, to read its values.";
  fillSelect(by("range"), answer.ranges.map((name) => ({ value: name, label: name })), answer.range);
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

function showNotices(text) {
  // Said again only if it is another: screen readers speak each change.
  if (by("notices").textContent !== text) by("notices").textContent = text;
  by("notices").hidden = !text;
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
  history.replaceState(null, "", `?${choices}`);
  refresh();
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
    this.heading.textContent = widget.title ?? "";
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

by("range").addEventListener("change", (event) => choose("range", event.target.value));
by("period").addEventListener("change", (event) => choose("period", event.target.value));
by("refresh").addEventListener("change", (event) => choose("refresh", event.target.value));
by("now").addEventListener("click", refresh);
by("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`/calls/${encodeURIComponent(by("call-id").value.trim())}`);
});
startTheme(by("theme"), () => {
  if (shownDocument) show(shownDocument);
});
refresh();
