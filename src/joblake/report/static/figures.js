// The figures of the page: rows from columns, the filters' choice, sums, quantiles and words.

const PAGE = JSON.parse(document.getElementById("figures").textContent);
const TABLES = Object.fromEntries(
  Object.entries(PAGE.tables).map(([name, columns]) => [name, rowsOf(columns)]),
);
const OTHER_ACCOUNTS = "other";
const DAY = 86_400_000;
const LAST_DAY = Math.floor(PAGE.as_of / DAY) * DAY;

function rowsOf(columns) {
  const read = Object.entries(columns).map(([name, column]) => [
    name,
    Array.isArray(column)
      ? column
      : column.codes.map((code) => (code < 0 ? null : column.values[code])),
  ]);
  return read[0][1].map((_, row) =>
    Object.fromEntries(read.map(([name, values]) => [name, values[row]])),
  );
}

// --- the choice ---------------------------------------------------------------------------------

const choice = { account: "", region: "", kind: "" };

// The filters offer the values that the data holds.
const VALUES = Object.fromEntries(Object.keys(choice).map((name) => [name, valuesOf(name)]));

function valuesOf(name) {
  const found = Object.values(TABLES).flatMap((rows) => rows.map((row) => row[name]));
  return [...new Set(found)].filter((value) => value !== null && value !== undefined).sort();
}

// A row passes a filter of a column that it lacks: a listing of custom models has no kind of job.
function isChosen(row) {
  return Object.entries(choice).every(([name, value]) => !value || value === (row[name] ?? value));
}

function chosen(table) {
  return (TABLES[table] ?? []).filter(isChosen);
}

// --- sums ---------------------------------------------------------------------------------------

function total(numbers) {
  return numbers.reduce((one, other) => one + other, 0);
}

function sum(rows, column) {
  return total(rows.map((row) => row[column]));
}

// Each row of a list repeats the total of its place; each place counts once.
function totalOf(rows, column) {
  const places = rows.map((row) => [
    [row.table_name, row.kind, row.account, row.region].join(" "),
    row[column],
  ]);
  return total([...new Map(places).values()]);
}

function groups(rows, keyOf) {
  const found = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (found.has(key)) found.get(key).push(row);
    else found.set(key, [row]);
  }
  return found;
}

// The groups of a text, the largest first and the one without a name last.
function ranked(rows, keyOf) {
  return [...groups(rows, (row) => keyOf(row) ?? "")]
    .map(([key, members]) => ({ key, members, jobs: sum(members, "job_count") }))
    .sort((a, b) => (a.key === "") - (b.key === "") || b.jobs - a.jobs);
}

// Quantiles of histogram rows, each of which stands for `job_count` jobs of about `seconds` each:
// exact where the jobs of a row took equally long, else off by the width of a row at most.
function quantilesOf(rows, shares) {
  const sorted = [...rows].sort((a, b) => a.seconds - b.seconds);
  const last = sum(sorted, "job_count") - 1;
  if (last < 0) return shares.map(() => null);
  return shares.map((share) => {
    const wanted = share * last;
    let passed = 0;
    for (const [place, { seconds, job_count }] of sorted.entries()) {
      passed += job_count;
      if (wanted <= passed - 1) return seconds;
      const next = sorted[place + 1];
      if (wanted < passed) return seconds + (next.seconds - seconds) * (wanted - passed + 1);
    }
  });
}

function median(numbers) {
  return quantilesOf(
    numbers.map((seconds) => ({ seconds, job_count: 1 })),
    [0.5],
  )[0];
}

// --- words --------------------------------------------------------------------------------------

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });

function count(number) {
  return WHOLE.format(number);
}

function counted(number, one) {
  return `${count(number)} ${one}${number === 1 ? "" : "s"}`;
}

// An identifier as words: "batch_inference" is "Batch inference".
function words(identifier) {
  return identifier.charAt(0).toUpperCase() + lower(identifier).slice(1);
}

function lower(identifier) {
  return identifier.toLowerCase().replaceAll("_", " ");
}

function percent(share) {
  if (share === null) return "–";
  const whole = share * 100;
  // Never 100 % with a failure in it.
  if (whole > 99 && whole < 100) return `${(Math.floor(whole * 10) / 10).toFixed(1)}%`;
  return `${whole.toFixed(whole < 10 && whole > 0 ? 1 : 0)}%`;
}

const UNITS = [
  [86_400, "d", 172_800],
  [3_600, "h", 3_600],
  [60, "min", 60],
  [1, "s", 0],
];

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const [size, unit] = UNITS.find(([, , from]) => seconds >= from);
  const value = seconds / size;
  return `${value < 10 && unit !== "s" ? value.toFixed(1).replace(/\.0$/, "") : count(value)} ${unit}`;
}

function utc(options) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
  return (instant) => (instant === null ? "–" : format.format(new Date(instant)));
}

const longDay = utc({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const dayOfYear = utc({ day: "numeric", month: "long", year: "numeric" });
const shortDay = utc({ day: "numeric", month: "short" });
const weekday = utc({ weekday: "short", day: "numeric", month: "short" });
const monthName = utc({ month: "short", year: "numeric" });
const minute = utc({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = utc({ hour: "2-digit", minute: "2-digit" });

// The last part of an ARN, which identifies a model within its account.
function shortModel(model) {
  if (model === null) return "model not told";
  return model.startsWith("arn:") ? model.slice(model.lastIndexOf("/") + 1) : model;
}
