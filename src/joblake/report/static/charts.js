// The charts: Vega-Lite specifications, drawn as SVG that follows the page's colours and width.

const OUTCOMES = [
  ["succeeded", "Succeeded"],
  ["partially_succeeded", "Succeeded in part"],
  ["failed", "Failed"],
  ["expired", "Expired"],
  ["stopped", "Stopped"],
  ["running", "Running"],
  ["lost", "Vanished unfinished"],
  ["unknown", "Unknown status"],
];
const PHASES = [
  ["validation", "Validation"],
  ["data_processing", "Data processing"],
  ["training", "Training"],
];
const WAITS = [
  ["queue", "In the queue"],
  ["run", "Running"],
];

// The colours are the page's, so that light, dark and print need no drawing anew.
const colour = (name) => `var(--${name.replace(/_/g, "-")})`;
const scaleOf = (pairs) => ({
  domain: pairs.map(([name]) => name),
  range: pairs.map(([name]) => colour(name)),
});

vega.expressionFunction("duration", duration);
vega.expressionFunction("compact", (number) => COMPACT.format(number));
vega.expressionFunction("shortDay", shortDay);
vega.expressionFunction("periodName", periodName);

const CONFIG = {
  background: null,
  font: "inherit",
  padding: { left: 0, right: 2, top: 4, bottom: 0 },
  view: { stroke: null },
  axis: {
    aria: false,
    domain: false,
    ticks: false,
    labelColor: colour("muted"),
    labelFontSize: 11,
    labelPadding: 6,
    titleColor: colour("muted"),
    titleFontSize: 11,
    titleFontWeight: "normal",
    gridColor: colour("line"),
  },
  axisX: { grid: false, labelFlush: 24, labelOverlap: "greedy", labelSeparation: 8 },
  axisY: { minExtent: 44, maxExtent: 44, labelLimit: 44, tickCount: 4 },
};

// Axes of time have ticks at round steps of the clock.
const MINUTE = 60;
const HOUR = 3600;
const ROUND_TIMES = [
  ...[1, 2, 5, 10, 20, 30],
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8, 16].map((hours) => hours * HOUR),
  ...[1, 2, 4, 7, 14, 30, 60, 120, 365].map((days) => days * 24 * HOUR),
];

function logarithmicTicks([low, high]) {
  const within = ROUND_TIMES.filter((time) => time >= low && time <= high);
  const every = Math.ceil(within.length / 4);
  return within.filter((_, place) => place % every === 0);
}

function evenTicks(high) {
  const steps = [...ROUND_TIMES, 1.5 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR].sort((a, b) => a - b);
  const step = steps.find((each) => high / each <= 4.5) ?? high / 4;
  return Array.from({ length: Math.ceil(high / step) + 1 }, (_, place) => place * step);
}

function evenTime(field, highest) {
  const values = evenTicks(highest);
  return {
    field,
    type: "quantitative",
    title: null,
    scale: { domain: [0, values.at(-1)], nice: false },
    axis: { values, labelExpr: "datum.value === 0 ? '0' : duration(datum.value)" },
  };
}

const drawn = new Map();

// Draw a chart into a box; `label` says what it shows to those who do not see it.
function draw(box, label, height, spec) {
  const whole = {
    ...spec,
    description: label,
    width: widthOf(box),
    height,
    autosize: { type: "fit-x", contains: "padding" },
    config: CONFIG,
  };
  const view = new vega.View(vega.parse(vegaLite.compile(whole).spec), {
    renderer: "svg",
    container: box,
    tooltip: showTooltip,
    logLevel: vega.Warn,
  });
  view.run();
  drawn.set(box, view);
  resizing.observe(box);
}

function widthOf(box) {
  return Math.max(box.clientWidth, 60);
}

function fit(box) {
  const view = drawn.get(box);
  if (view && view.width() !== widthOf(box)) view.width(widthOf(box)).run();
}

const resizing = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));

function forgetCharts() {
  for (const [box, view] of drawn) {
    resizing.unobserve(box);
    view.finalize();
  }
  drawn.clear();
}

function showTooltip(_handler, event, _item, text) {
  const tooltip = document.getElementById("tooltip");
  tooltip.hidden = !text;
  if (!text) return;
  tooltip.textContent = text;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - width - 8);
  const above = event.clientY - height - 12;
  tooltip.style.left = `${Math.max(left, 8)}px`;
  tooltip.style.top = `${above < 8 ? event.clientY + 16 : above}px`;
}

// Every mark says its own text, in the tooltip and to a screen reader.
const TOLD = {
  tooltip: { field: "told", type: "nominal" },
  description: { field: "told", type: "nominal" },
};

// --- counts and rates by day --------------------------------------------------------------------

// The last day has a label, and those whole weeks before it.
function dayScale(days) {
  const every = days.length > 20 ? 7 : 1;
  return {
    field: "day",
    type: "ordinal",
    scale: {
      type: "band",
      domain: days,
      paddingInner: days.length > 60 ? 0.15 : 0.08,
      paddingOuter: 0,
    },
    axis: {
      title: null,
      labelAngle: 0,
      labelFlush: false,
      labelExpr: "shortDay(datum.value)",
      values: days.filter((_, place) => (days.length - 1 - place) % every === 0),
    },
  };
}

function drawCounts(box, days, rows) {
  const values = rows.flatMap((row) =>
    OUTCOMES.filter(([name]) => row[name] > 0).map(([name, words], order) => ({
      day: row.day,
      outcome: name,
      order: OUTCOMES.findIndex(([other]) => other === name),
      jobs: row[name],
      told: `${weekday(row.day)}\n${words}: ${counted(row[name], "job")} of ${count(row.total)}`,
    })),
  );
  draw(box, "Jobs created on each day, stacked by what became of them.", 220, {
    data: { values },
    mark: { type: "bar" },
    encoding: {
      x: dayScale(days),
      y: {
        field: "jobs",
        type: "quantitative",
        stack: "zero",
        title: null,
        axis: { tickMinStep: 1, labelExpr: "compact(datum.value)" },
      },
      color: { field: "outcome", type: "nominal", scale: scaleOf(OUTCOMES), legend: null },
      order: { field: "order" },
      ...TOLD,
    },
  });
}

function drawRates(box, days, rows) {
  const rated = rows.filter((row) => row.week_rate !== null);
  const values = rated.map((row) => ({
    ...row,
    told:
      `${weekday(row.day)}\nSeven days to it: ${percent(row.week_rate)} of ${counted(row.week_ended, "job")}` +
      `\nThe day: ${row.rate === null ? "none ended" : `${percent(row.rate)} of ${count(row.ended)}`}`,
  }));
  const least = Math.min(1, ...values.flatMap((row) => [row.week_rate, row.rate ?? 1]), 0.9);
  const y = {
    type: "quantitative",
    title: null,
    scale: { domain: [Math.max(0, Math.floor(least * 10) / 10), 1] },
    axis: { format: ".0%", tickCount: 4 },
  };
  draw(box, "Share of ended jobs that succeeded: each day, and the seven days to it.", 120, {
    data: { values },
    encoding: { x: dayScale(days) },
    layer: [
      {
        mark: {
          type: "point",
          filled: true,
          size: 22,
          color: colour("faint"),
          opacity: 1,
          aria: false,
        },
        encoding: { y: { ...y, field: "rate" }, ...TOLD },
        transform: [{ filter: "datum.rate !== null" }],
      },
      {
        mark: { type: "line", color: colour("succeeded"), strokeWidth: 2, aria: false },
        encoding: { y: { ...y, field: "week_rate" } },
      },
      {
        mark: { type: "point", filled: true, size: 60, opacity: 0, color: colour("succeeded") },
        encoding: { y: { ...y, field: "week_rate" }, ...TOLD },
      },
    ],
  });
}

function drawNights(box, label, nights) {
  const missing = Array.from(
    { length: Math.max(0, 15 - nights.length) },
    (_, place) => `none ${place}`,
  );
  const values = nights.map(({ night, number, told }, place) => ({
    night,
    number,
    told,
    is_last: place === nights.length - 1,
  }));
  draw(box, label, 34, {
    data: { values },
    padding: 0,
    mark: { type: "bar", cornerRadiusEnd: 1 },
    encoding: {
      x: {
        field: "night",
        type: "ordinal",
        axis: null,
        scale: {
          domain: [...missing, ...nights.map(({ night }) => night)],
          paddingInner: 0.25,
          paddingOuter: 0,
        },
      },
      y: {
        field: "number",
        type: "quantitative",
        axis: null,
        scale: { domainMin: 0, nice: false },
      },
      color: {
        condition: { test: "datum.is_last", value: colour("accent") },
        value: colour("spark"),
      },
      ...TOLD,
    },
  });
}

// --- times --------------------------------------------------------------------------------------

function periodName(period) {
  return isMonthly ? monthName(Date.parse(period)) : shortDay(Date.parse(period));
}

function periodScale(periods) {
  return {
    field: "period",
    type: "ordinal",
    scale: { domain: periods, paddingInner: 0.35, paddingOuter: 0.2 },
    axis: { title: null, labelAngle: 0, labelFlush: false, labelExpr: "periodName(datum.value)" },
  };
}

// The times of each week or month as a box: from the 10th to the 90th percentile, within it from
// the 25th to the 75th, and the median.
function drawSpread(box, label, height, periods, values, extent) {
  const y = {
    type: "quantitative",
    title: null,
    scale: { type: "log", domain: extent, nice: false },
    axis: { values: logarithmicTicks(extent), labelExpr: "duration(datum.value)" },
  };
  // The outer box speaks for all three to a screen reader.
  const range = (low, high, name, aria) => ({
    mark: { type: "bar", color: colour(name), width: { band: 0.7 }, cornerRadius: 1, aria },
    encoding: { y: { ...y, field: low }, y2: { field: high }, ...TOLD },
  });
  draw(box, label, height, {
    data: { values },
    encoding: { x: periodScale(periods) },
    layer: [
      range("p10", "p90", "spread-far", true),
      range("p25", "p75", "spread-near", false),
      {
        mark: {
          type: "tick",
          color: colour("ink"),
          thickness: 2,
          width: { band: 0.9 },
          opacity: 1,
          aria: false,
        },
        encoding: { y: { ...y, field: "p50" }, ...TOLD },
      },
    ],
  });
}

function drawPhases(box, periods, values) {
  const highest = Math.max(
    ...[...groups(values, ({ period }) => period).values()].map((each) => sum(each, "mean")),
  );
  draw(box, "Mean time in each phase of the customization jobs of each period.", 220, {
    data: { values },
    mark: { type: "bar" },
    encoding: {
      x: periodScale(periods),
      y: { ...evenTime("mean", highest), stack: "zero" },
      color: { field: "phase", type: "nominal", scale: scaleOf(PHASES), legend: null },
      order: { field: "order" },
      ...TOLD,
    },
  });
}

function drawWaits(box, periods, values) {
  draw(box, "Bounds of the median time that batch jobs waited and ran, by period.", 220, {
    data: { values },
    mark: { type: "bar", cornerRadius: 1, minBandSize: 2 },
    encoding: {
      x: periodScale(periods),
      xOffset: {
        field: "wait",
        type: "nominal",
        scale: { domain: WAITS.map(([name]) => name), paddingInner: 0.15 },
      },
      y: evenTime("low", Math.max(...values.map(({ high }) => high))),
      y2: { field: "high" },
      color: { field: "wait", type: "nominal", scale: scaleOf(WAITS), legend: null },
      ...TOLD,
    },
  });
}
