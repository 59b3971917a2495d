// The charts are SVG. Places across are shares of the width, so that a chart follows the width of its
// box; places down are pixels. Colours are the style's, so that it follows light, dark and paper.

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

const colour = (name) => `var(--${name.replaceAll("_", "-")})`;
const SERIES = ["first", "second", "third", "fourth"].map(colour);
const seriesColour = (place) => SERIES[place % SERIES.length];

// `ticks` are [height, words]; `columns` are the columns' labels, false where one has none.
function plot(label, height, ticks, columns, marks) {
  const grid = ticks.map(([y, told]) => [
    svg("line.grid", { x2: "100%", y1: y, y2: y }),
    svg("text.tick", { x: -6, y: y + 4 }, told),
  ]);
  const names = columns.map((column, place) => {
    const x = across(place + 0.5, columns.length);
    return column && svg(column.tag, { x, y: height + 17 }, column.told);
  });
  const axes = svg("g", { "aria-hidden": "true" }, grid, names);
  const size = { height: columns.length ? height + 24 : height };
  const role = { role: "graphics-document", "aria-label": label };
  return element("div.chart", svg("svg.plot", size, role, axes, marks));
}

const across = (columns, of) => `${((100 * columns) / of).toFixed(2)}%`;

// Labels for the last column and every so many before it; a narrow chart shows every other one.
function labelled(columns, every, told) {
  return columns.map((column, place) => {
    const steps = (columns.length - 1 - place) / every;
    const tag = steps % 2 ? "text.label.spare" : "text.label";
    return Number.isInteger(steps) && { tag, told: told(column) };
  });
}

// The tooltip shows the text of a mark, and a screen reader reads it; a mark without text belongs to
// another.
function mark(tag, attributes, told) {
  return svg(
    tag,
    attributes,
    told
      ? { role: "graphics-symbol", "aria-label": told }
      : { "aria-hidden": "true", "pointer-events": "none" },
  );
}

// A bar around the middle of a column, from one height to another; widths are shares of a column.
function bar([middle, of], width, [top, bottom], fill, told) {
  const x = across(middle + 0.5 - width / 2, of);
  const height = Math.max(bottom - top, 1).toFixed(1);
  return mark("rect", { x, width: across(width, of), y: top.toFixed(1), height, fill }, told);
}

// Bars of one column that stand on each other; `parts` are [amount, colour, told].
function stack(column, width, y, parts) {
  let low = 0;
  return parts.map(([amount, fill, told]) => {
    const high = low + amount;
    const one = bar(column, width, [y(high), y(low)], fill, told);
    low = high;
    return one;
  });
}

// --- axes ---------------------------------------------------------------------------------------

const MINUTE = 60;
const HOUR = 3600;
const ROUND_TIMES = [
  ...[1, 2, 5, 10, 20, 30],
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8, 16].map((hours) => hours * HOUR),
  ...[1, 2, 4, 7, 14, 30, 60, 120, 365].map((days) => days * 24 * HOUR),
];
const ROUND_STEPS = [...ROUND_TIMES, ...[1.5, 3, 6, 12].map((hours) => hours * HOUR)].sort(
  (a, b) => a - b,
);
const ROUND_COUNTS = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((n) => n * 10 ** power),
).flat();

// An axis from 0 to the first round step beyond the highest value.
function evenAxis(height, highest, steps, told) {
  const step = steps.find((each) => highest / each <= 4.5) ?? highest / 4;
  const last = Math.max(1, Math.ceil(highest / step));
  const values = Array.from({ length: last + 1 }, (_, place) => place * step);
  const y = (value) => height * (1 - value / values.at(-1));
  return { y, ticks: values.map((value) => [y(value), value ? told(value) : "0"]) };
}

function logarithmicAxis(height, low, high) {
  const y = (value) => height * (1 - Math.log(value / low) / Math.log(high / low));
  const within = ROUND_TIMES.filter((time) => time >= low && time <= high);
  const every = Math.ceil(within.length / 4);
  const shown = within.filter((_, place) => place % every === 0);
  return { y, ticks: shown.map((time) => [y(time), duration(time)]) };
}

// --- tooltip ------------------------------------------------------------------------------------

function showTooltip({ target, clientX, clientY }) {
  const tooltip = document.getElementById("tooltip");
  const told = target.closest("[role=graphics-symbol]")?.getAttribute("aria-label");
  tooltip.hidden = !told;
  if (!told) return;
  tooltip.textContent = told;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(clientX + 12, document.documentElement.clientWidth - width - 8);
  const above = clientY - height - 12;
  tooltip.style.left = `${Math.max(left, 8)}px`;
  tooltip.style.top = `${above < 8 ? clientY + 16 : above}px`;
}

// --- counts and rates by day --------------------------------------------------------------------

function dayLabels(days) {
  const every = days.length > 20 ? 7 : days.length > 10 ? 2 : 1;
  return labelled(days, every, shortDay);
}

function countsChart(days) {
  const { y, ticks } = evenAxis(
    220,
    Math.max(...days.map(({ total }) => total)),
    ROUND_COUNTS,
    (n) => COMPACT.format(n),
  );
  const marks = days.map((row, place) => {
    const parts = OUTCOMES.filter(([outcome]) => row[outcome] > 0).map(([outcome, told]) => [
      row[outcome],
      colour(outcome),
      `${weekday(row.day)}\n${told}: ${counted(row[outcome], "job")} of ${count(row.total)}`,
    ]);
    return stack([place, days.length], days.length > 60 ? 0.85 : 0.92, y, parts);
  });
  const label = "Jobs created on each day, stacked by what became of them.";
  return plot(label, 220, ticks, dayLabels(days.map(({ day }) => day)), marks);
}

function ratesChart(days) {
  const height = 120;
  const rates = days.flatMap(({ rate, week_rate }) => [rate ?? 1, week_rate ?? 1]);
  const low = Math.max(0, Math.floor(Math.min(0.9, ...rates) * 10) / 10);
  const y = (rate) => ((height * (1 - rate)) / (1 - low)).toFixed(1);
  const ticks = [0, 1, 2, 3, 4].map((quarter) => low + ((1 - low) * quarter) / 4);
  const x = (place) => across(place + 0.5, days.length);
  const rated = [...days.entries()].filter(([, { week_rate }]) => week_rate !== null);
  const marks = rated.map(([place, row], number) => {
    const [before, last] = rated[number - 1] ?? [place, row];
    const [x1, x2, y1, y2] = [x(before), x(place), y(last.week_rate), y(row.week_rate)];
    const told =
      `${weekday(row.day)}\nSeven days to it: ${percent(row.week_rate)} of ${counted(row.week_ended, "job")}` +
      `\nThe day: ${row.rate === null ? "none ended" : `${percent(row.rate)} of ${count(row.ended)}`}`;
    return [
      bar([place, days.length], 1, [0, height], "transparent", told),
      row.rate !== null && mark("circle.dot", { cx: x2, cy: y(row.rate), r: 2.4 }),
      mark("line.rate", { x1, x2, y1, y2 }),
    ];
  });
  return plot(
    "Share of ended jobs that succeeded: each day, and the seven days to it.",
    height,
    ticks.map((rate) => [Number(y(rate)), `${Math.round(rate * 100)}%`]),
    dayLabels(days.map(({ day }) => day)),
    marks,
  );
}

function nightsChart(label, nights) {
  const height = 34;
  const highest = Math.max(1, ...nights.map(({ number }) => number));
  const marks = nights.map(({ number, told }, place) => {
    const fill = colour(place === nights.length - 1 ? "accent" : "spark");
    const top = height * (1 - number / highest);
    return bar(
      [place + 15 - nights.length, 15],
      0.75,
      [top, height],
      number ? fill : "transparent",
      told,
    );
  });
  return element("div.spark", plot(label, height, [], [], marks));
}

// --- times --------------------------------------------------------------------------------------

function periodLabels(periods) {
  return labelled(periods, Math.ceil(periods.length / (IS_MONTHLY ? 6 : 8)), (period) =>
    (IS_MONTHLY ? monthName : shortDay)(Date.parse(period)),
  );
}

// The times of each week or month as a box: from the 10th to the 90th percentile, within it from
// the 25th to the 75th, and the median. A logarithmic axis has no place for less than a second.
function spreadChart(label, spreads, low, high) {
  const { y, ticks } = logarithmicAxis(130, low, high);
  const marks = spreads.map(({ period, quantiles, told }) => {
    const [p10, p25, p50, p75, p90] = quantiles.map((seconds) => y(Math.max(seconds, 1)));
    const column = [AXIS.indexOf(period), AXIS.length];
    return [
      bar(column, 0.65, [p90, p10], colour("spread-far"), told),
      bar(column, 0.65, [p75, p25], colour("spread-near")),
      bar(column, 0.8, [p50 - 1, p50 + 1], colour("ink")),
    ];
  });
  return plot(label, 130, ticks, periodLabels(AXIS), marks);
}

// The mean time in each phase, one upon the other; `periods` are pairs of a period and its parts.
function phasesChart(label, periods) {
  const means = periods.map(([, parts]) => total(parts.map(([seconds]) => seconds)));
  const { y, ticks } = evenAxis(220, Math.max(...means), ROUND_STEPS, duration);
  const marks = periods.map(([period, parts]) =>
    stack([AXIS.indexOf(period), AXIS.length], 0.65, y, parts),
  );
  return plot(label, 220, ticks, periodLabels(AXIS), marks);
}

// Bounds of times side by side; parts are [low, high, place among the phases, told].
function boundsChart(label, phaseCount, periods) {
  const highest = Math.max(...periods.flatMap(([, parts]) => parts.map(([, high]) => high)));
  const { y, ticks } = evenAxis(220, highest, ROUND_STEPS, duration);
  const marks = periods.flatMap(([period, parts]) =>
    parts.map(([low, high, place, told]) => {
      const middle = AXIS.indexOf(period) + 0.65 * ((place + 0.5) / phaseCount - 0.5);
      const width = 0.55 / phaseCount;
      return bar([middle, AXIS.length], width, [y(high), y(low)], seriesColour(place), told);
    }),
  );
  return plot(label, 220, ticks, periodLabels(AXIS), marks);
}
