// The figures of the page: rows from columns, the filters' choice, sums and quantiles.

const PAGE = JSON.parse(document.getElementById("figures").textContent);
const TABLES = Object.fromEntries(
  Object.entries(PAGE.tables).map(([name, columns]) => [name, rowsOf(columns)]),
);
const KINDS = {
  customization: "Customization",
  batch_inference: "Batch inference",
  clean_rooms_inference: "Clean Rooms inference",
};
const OTHER_ACCOUNTS = "other";
const DAY = 86_400_000;
const LAST_DAY = Math.floor(PAGE.as_of / DAY) * DAY;

function rowsOf(columns) {
  const read = Object.entries(columns).map(([name, column]) => [
    name,
    Array.isArray(column)
      ? (row) => column[row]
      : (row) => column.values[column.codes[row]] ?? null,
  ]);
  const [first] = Object.values(columns);
  const count = (Array.isArray(first) ? first : first.codes).length;
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(read.map(([name, at]) => [name, at(row)])),
  );
}

// --- the choice ---------------------------------------------------------------------------------

const choice = { account: "", region: "", kind: "" };

// A column that a table lacks does not narrow it: custom models have no kind of job.
function isChosen(row) {
  return ["account", "region", "kind"].every(
    (name) => !choice[name] || !(name in row) || (row[name] ?? OTHER_ACCOUNTS) === choice[name],
  );
}

function chosen(table) {
  return (TABLES[table] ?? []).filter(isChosen);
}

// What can be chosen.
const VALUES = Object.fromEntries(Object.keys(choice).map((name) => [name, valuesOf(name)]));

function valuesOf(name) {
  const found = new Set();
  for (const rows of Object.values(TABLES)) {
    for (const row of rows) if (name in row) found.add(row[name] ?? OTHER_ACCOUNTS);
  }
  return [...found].sort();
}

// --- sums ---------------------------------------------------------------------------------------

function sum(rows, column) {
  return rows.reduce((total, row) => total + row[column], 0);
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

function median(numbers) {
  if (numbers.length === 0) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Quantiles of histogram rows, each of which stands for `job_count` jobs of about `seconds` each:
// exact where the jobs of a row took equally long, else off by the width of a row at most.
function quantilesOf(rows, shares) {
  const sorted = rows.filter((row) => row.job_count > 0).sort((a, b) => a.seconds - b.seconds);
  const total = sum(sorted, "job_count");
  if (total === 0) return shares.map(() => null);
  const places = [];
  let passed = 0;
  for (const row of sorted) {
    places.push([passed, row.seconds], [passed + row.job_count - 1, row.seconds]);
    passed += row.job_count;
  }
  return shares.map((share) => between(places, share * (total - 1)));
}

function between(places, wanted) {
  const next = places.findIndex(([place]) => place >= wanted);
  if (next === -1) return places[places.length - 1][1];
  if (next === 0) return places[0][1];
  const [[before, low], [after, high]] = [places[next - 1], places[next]];
  return after === before ? high : low + ((high - low) * (wanted - before)) / (after - before);
}

// --- words --------------------------------------------------------------------------------------

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });

function count(number) {
  return WHOLE.format(number);
}

function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
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
  return `${value < 10 && unit !== "s" ? value.toFixed(1).replace(/\.0$/, "") : WHOLE.format(value)} ${unit}`;
}

function utc(options) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
  return (instant) => (instant === null ? "–" : format.format(new Date(instant)));
}

const longDay = utc({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const shortDay = utc({ day: "numeric", month: "short" });
const weekday = utc({ weekday: "short", day: "numeric", month: "short" });
const monthName = utc({ month: "short", year: "numeric" });
const minute = utc({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = utc({ hour: "2-digit", minute: "2-digit" });

// What identifies a model within its account: an ARN's last part.
function shortModel(model) {
  if (model === null) return "model not told";
  return model.startsWith("arn:") ? model.slice(model.lastIndexOf("/") + 1) : model;
}
