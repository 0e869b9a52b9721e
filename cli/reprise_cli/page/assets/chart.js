// One chart over time: uPlot for the drawing; legend, thresholds and keys are ours.

import { clock, last, value } from "/assets/format.js";
import { color, seriesColor } from "/assets/theme.js";
import { make } from "/assets/widgets.js";

const COUNTED = new Set(["Sum", "SampleCount"]);
const SYNC = "reprise";
const OFF_SCALE = 3; // A threshold farther above the data than this many times would flatten them.
const LONGEST_GAP_S = 60; // Values farther apart are not joined by a line.

export class Chart {
  constructor(body, widget, speak) {
    this.body = body;
    this.speak = speak;
    this.hidden = new Set();
    this.build(widget);
  }

  show(widget) {
    const isSame = this.signature(widget) === this.drawn;
    this.widget = widget;
    if (!isSame) return this.build(widget);
    this.plot.setData(this.data());
    this.legendValues();
  }

  resize() {
    const { width, height } = this.size();
    if (width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  destroy() {
    this.plot.destroy();
  }

  // What a new picture is needed for; all else is new data.
  signature(widget) {
    const { axes, period_s, stacked, thresholds, moments } = widget;
    const series = widget.series.map(({ label, color: stated, side, unit }) => [label, stated, side, unit]);
    return JSON.stringify([axes, period_s, stacked, thresholds, moments, series, document.documentElement.dataset.theme]);
  }

  build(widget) {
    this.widget = widget;
    this.drawn = this.signature(widget);
    this.plot?.destroy();
    this.legend = make("div", { class: "legend" });
    this.frame = make("div", {
      class: "plot",
      tabindex: "0",
      role: "img",
      "aria-label": `Chart: ${widget.title}. Left and right arrow keys read its values.`,
    });
    this.body.replaceChildren(this.frame, this.legend);
    this.entries = widget.series.map((series, place) => this.entry(series, place));
    this.legend.append(...this.entries.map(({ button }) => button), ...this.chips());
    this.plot = new uPlot(this.options(), this.data(), this.frame);
    this.legendValues();
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  entry(series, place) {
    const mark = make("i", {});
    mark.style.background = seriesColor(series.color, place, series.label);
    const number = make("b", {});
    const button = make("button", { type: "button", "aria-pressed": "true" }, mark, series.label, " ", number);
    button.addEventListener("click", () => this.toggle(series.label, place));
    const isHidden = this.hidden.has(series.label);
    button.setAttribute("aria-pressed", String(!isHidden));
    return { button, number };
  }

  toggle(label, place) {
    const isHidden = !this.hidden.has(label);
    if (isHidden) this.hidden.add(label);
    else this.hidden.delete(label);
    this.entries[place].button.setAttribute("aria-pressed", String(!isHidden));
    if (this.widget.stacked) return this.build(this.widget);
    this.plot.setSeries(place + 1, { show: !isHidden });
  }

  chips() {
    return this.widget.thresholds.map((line) => {
      const far = this.isFar(line) ? " (above the chart)" : "";
      const mark = make("i", { class: "dashed" });
      mark.style.borderColor = line.color || color("threshold");
      return make("span", { class: "chip" }, mark, `${line.label || "threshold"} ${this.read(line.value, line.side)}${far}`);
    });
  }

  size() {
    return { width: Math.floor(this.frame.clientWidth), height: Math.max(60, Math.floor(this.frame.clientHeight)) };
  }

  shown() {
    return this.widget.series.map((series) => !this.hidden.has(series.label));
  }

  data() {
    const { series, times, stacked } = this.widget;
    if (!stacked) return [times, ...series.map(({ values }) => values)];
    const shown = this.shown();
    const sums = times.map(() => 0);
    const layers = series.map((_, place) => {
      if (!shown[place]) return times.map(() => null);
      return steady(series[place], times).map((each, at) => (sums[at] += each));
    });
    return [times, ...layers];
  }

  unit(side) {
    const units = new Set(this.widget.series.filter((each) => each.side === side).map(({ unit }) => unit));
    const label = (this.widget.axes[side].label ?? "").toLowerCase();
    if (units.size === 1 && [...units][0]) return [...units][0];
    if (/^(s|seconds?)$/.test(label)) return "Seconds";
    if (/^(ms|milliseconds?)$/.test(label)) return "Milliseconds";
    return "";
  }

  read(number, side) {
    return value(number, this.unit(side));
  }

  most(side) {
    const shown = this.shown();
    const numbers = this.data().slice(1)
      .filter((_, place) => shown[place] && this.widget.series[place].side === side)
      .flat().filter((each) => each !== null);
    return numbers.length ? numbers.reduce((a, b) => Math.max(a, b)) : 0;
  }

  isFar(line) {
    const most = this.most(line.side);
    return most > 0 && line.value > OFF_SCALE * most;
  }

  // Durations are cut at whole minutes and hours, and what is counted at whole numbers.
  steps(side) {
    if (this.unit(side) === "Seconds") return DURATION_STEPS;
    const counts = this.widget.series.filter((each) => each.side === side).flatMap(({ values }) => values);
    return counts.every((each) => each === null || Number.isInteger(each)) ? COUNT_STEPS : undefined;
  }

  range(side) {
    return (_, least, most) => {
      const { min, max } = this.widget.axes[side];
      const lines = this.widget.thresholds.filter((line) => line.side === side && !this.isFar(line));
      const top = Math.max(most ?? 0, ...lines.map((line) => line.value));
      const bottom = min ?? Math.min(0, least ?? 0);
      return [bottom, max ?? (top > bottom ? top + (top - bottom) * 0.08 : bottom + 1)];
    };
  }

  options() {
    const { series, axes, stacked, period_s } = this.widget;
    const sides = ["left", "right"].filter((side) => side === "left" || series.some((each) => each.side === side));
    const count = series.length;
    const style = { stroke: color("muted"), font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif" };
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: true, range: () => [this.widget.times[0], this.widget.times.at(-1) + this.widget.period_s] },
        ...Object.fromEntries(sides.map((side) => [side, { range: this.range(side) }])),
      },
      axes: [
        { ...style, grid: { stroke: color("grid"), width: 1 }, ticks: { show: false }, size: 26, space: 64, values: axisTimes },
        ...sides.map((side) => ({
          ...style,
          scale: side,
          side: side === "left" ? 3 : 1,
          grid: { show: side === "left", stroke: color("grid"), width: 1 },
          ticks: { show: false },
          size: 50,
          space: 28,
          incrs: this.steps(side),
          // A tick that says its unit needs no label for it.
          label: this.unit(side) ? null : axes[side].label || null,
          labelSize: !this.unit(side) && axes[side].label ? 16 : 0,
          labelGap: 0,
          values: (_, ticks) => ticks.map((tick) => this.read(tick, side)),
        })),
      ],
      series: [
        {},
        ...series.map((each, place) => {
          const stroke = seriesColor(each.color, place, each.label);
          return {
            label: each.label,
            scale: each.side,
            stroke,
            // A layer is its area: an outline would show layers of no height, too.
            width: stacked ? 0 : 2,
            fill: stacked ? stroke + "D8" : undefined,
            show: !this.hidden.has(each.label),
            points: { show: false, size: 5, filter: stacked ? () => null : lonely },
            spanGaps: false,
            gaps: (_, __, ___, ____, gaps) => gaps.filter(([from, to]) => this.seconds(to - from) > Math.max(3 * period_s, LONGEST_GAP_S)),
            ...(each.side === "right" && !stacked ? { dash: [6, 3] } : {}),
          };
        }),
      ],
      bands: stacked ? Array.from({ length: count - 1 }, (_, place) => ({ series: [place + 2, place + 1] })) : [],
      hooks: {
        drawAxes: [(plot) => this.drawFills(plot)],
        draw: [(plot) => this.drawLines(plot)],
        setCursor: [() => this.legendValues()],
      },
    };
  }

  seconds(pixels) {
    const ratio = this.plot?.bbox.width || 1;
    return (pixels * (this.widget.times.at(-1) + this.widget.period_s - this.widget.times[0])) / ratio;
  }

  drawFills(plot) {
    for (const line of this.widget.thresholds) {
      if (line.fill === "none" || this.isFar(line)) continue;
      const { left, top, width, height } = plot.bbox;
      const y = plot.valToPos(line.value, line.side, true);
      const [from, to] = line.fill === "above" ? [top, y] : [y, top + height];
      plot.ctx.save();
      plot.ctx.globalAlpha = 0.08;
      plot.ctx.fillStyle = line.color || color("threshold");
      plot.ctx.fillRect(left, from, width, Math.max(0, to - from));
      plot.ctx.restore();
    }
  }

  drawLines(plot) {
    const { left, top, width, height } = plot.bbox;
    const context = plot.ctx;
    context.save();
    context.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    context.lineWidth = devicePixelRatio;
    for (const line of this.widget.thresholds) {
      if (this.isFar(line) || !plot.scales[line.side]) continue;
      const y = plot.valToPos(line.value, line.side, true);
      stroke(context, line.color || color("threshold"), left, y, left + width, y);
    }
    for (const line of this.widget.moments) {
      const x = plot.valToPos(Date.parse(line.value) / 1000, "x", true);
      if (x < left || x > left + width) continue;
      stroke(context, line.color || color("threshold"), x, top, x, top + height);
    }
    context.restore();
  }

  legendValues() {
    const at = this.plot?.cursor.idx ?? null;
    this.entries.forEach(({ number }, place) => {
      const series = this.widget.series[place];
      if (!series) return;
      const unit = series.unit || this.unit(series.side);
      // Nobody points anywhere: counts say their total over the range, all else its last value.
      const isTotal = at === null && COUNTED.has(series.stat);
      const shown = at === null ? (isTotal ? total(series.values) : last(series.values)) : series.values[at];
      number.textContent = (isTotal && shown !== null ? "Σ " : "") + value(shown, unit);
    });
    this.body.parentElement?.querySelector(".at")?.replaceChildren(at === null ? "" : clock(this.widget.times[at]));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { times, series } = this.widget;
    const from = this.plot.cursor.idx ?? (step > 0 ? -1 : times.length);
    const at = Math.min(times.length - 1, Math.max(0, from + step));
    this.plot.setCursor({ left: this.plot.valToPos(times[at], "x"), top: 10 });
    const read = series.map((each) => `${each.label} ${value(each.values[at], each.unit)}`);
    this.speak(`${clock(times[at])}: ${read.join(", ")}`);
  }
}

const DURATION_STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  14400, 21600, 43200, 86400, 172800, 604800,
];

const COUNT_STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

function axisTimes(_, ticks, __, ___, step) {
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    if (step >= 86400) return at.toLocaleDateString([], { month: "short", day: "numeric" });
    const parts = { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) };
    const time = at.toLocaleTimeString([], { ...parts, hourCycle: "h23" });
    return at.getHours() === 0 && at.getMinutes() === 0 && step >= 3600
      ? at.toLocaleDateString([], { month: "short", day: "numeric" }) : time;
  });
}

function total(values) {
  const known = values.filter((each) => each !== null);
  return known.length ? known.reduce((sum, each) => sum + each, 0) : null;
}

// Values without holes, to be stacked: nothing counted is 0, and a gauge stays as it was for a while.
function steady({ values, stat }, times) {
  if (COUNTED.has(stat)) return values.map((each) => each ?? 0);
  let [known, knownAt] = [0, -Infinity];
  return values.map((each, at) => {
    if (each !== null) [known, knownAt] = [each, times[at]];
    return times[at] - knownAt <= LONGEST_GAP_S ? known : 0;
  });
}

// A value that no line joins to another gets a dot.
function lonely(plot, place) {
  const [times, values] = [plot.data[0], plot.data[place]];
  const limit = Math.max(3 * (times[1] - times[0] || 0), LONGEST_GAP_S);
  const known = [...values.keys()].filter((at) => values[at] !== null);
  const isFar = (one, other) => one === undefined || other === undefined || Math.abs(times[one] - times[other]) > limit;
  return known.filter((at, order) => isFar(at, known[order - 1]) && isFar(at, known[order + 1]));
}

function stroke(context, style, x1, y1, x2, y2) {
  context.strokeStyle = style;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
