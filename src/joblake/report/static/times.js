// The sections about time: how long jobs took by kind and model, and how long each of their phases.

const EACH = PAGE.period;
const IS_MONTHLY = EACH === "month";
const AXIS = periodsOf((TABLES.times ?? []).map((row) => row.period).sort());
const PHASES = groups(
  (TABLES.times ?? []).filter((row) => row.phase !== null),
  (row) => row.kind,
);

// Every period between the first and the last, so that an empty one shows as a gap; six or more.
function periodsOf(told) {
  const found = [];
  if (told.length === 0) return found;
  const day = new Date(told.at(-1));
  while (found.length < 6 || day >= new Date(told[0])) {
    found.unshift(day.toISOString().slice(0, 10));
    if (IS_MONTHLY) day.setUTCMonth(day.getUTCMonth() - 1);
    else day.setUTCDate(day.getUTCDate() - 7);
  }
  return found;
}

function periodWords(period) {
  const day = Date.parse(period);
  return IS_MONTHLY ? monthName(day) : `week of ${shortDay(day)}`;
}

// --- durations ----------------------------------------------------------------------------------

// The times of one model, or of all models of a kind.
function panelOf(kind, title, members) {
  const [p50, p95] = quantilesOf(members, [0.5, 0.95]);
  const spreads = [...groups(members, (row) => row.period)].map(([period, rows]) => {
    const quantiles = quantilesOf(rows, [0.1, 0.25, 0.5, 0.75, 0.9]);
    const [p10, p25, median, p75, p90] = quantiles.map(duration);
    const told = `${periodWords(period)}\nmedian ${median} of ${counted(sum(rows, "job_count"), "job")}\nhalf between ${p25} and ${p75}\neight in ten between ${p10} and ${p90}`;
    return { period, quantiles, told };
  });
  return { kind, title, p50, p95, jobs: sum(members, "job_count"), spreads };
}

function panelsOf(kind, rows) {
  const models = ranked(rows, (row) => row.model).map(({ key, members }) =>
    panelOf(kind, key === "" ? "Other models" : shortModel(key), members),
  );
  return models.length > 1 ? [panelOf(kind, "All models", rows), ...models] : models;
}

function drawnPanel(panel, low, high) {
  const { kind, title, p50, p95, jobs, spreads } = panel;
  const note = `median ${duration(p50)} · 95th percentile ${duration(p95)} · ${counted(jobs, "job")}`;
  return element(
    "figure.panel",
    element("figcaption", element("bdi.name.line", { title }, title), about(note)),
    spreadChart(`${words(kind)}, ${title}: how long jobs took, by ${EACH}`, spreads, low, high),
  );
}

function kindOfDurations(kind, panels) {
  const times = panels.flatMap(({ spreads }) => spreads.flatMap(({ quantiles }) => quantiles));
  const low = Math.max(1, Math.min(...times) / 1.3);
  const high = Math.max(1, ...times) * 1.3;
  const [first, ...others] = panels
    .filter(({ title }, place) => place === 0 || title !== "Other models")
    .map((panel) => drawnPanel(panel, low, high));
  const isFolded = isNarrow() && others.length > 0;
  return element(
    "div.kind",
    { id: `durations-${kind}` },
    element("h3", words(kind)),
    element("div.panels", first, isFolded ? null : others),
    isFolded &&
      element(
        "details",
        element("summary", `By model (${others.length})`),
        element("div.panels", others),
      ),
  );
}

function durations() {
  const title = "Durations";
  const rows = chosen("times").filter((row) => row.phase === null);
  if (rows.length === 0)
    return section(
      "durations",
      title,
      null,
      nothing("No job that succeeded tells how long it took."),
    );
  const kinds = [...groups(rows, (row) => row.kind)].map(([kind, members]) => [
    kind,
    panelsOf(kind, members),
  ]);
  return section(
    "durations",
    title,
    `From creation to end, of jobs that succeeded, by ${EACH} of creation; the axis is logarithmic. The line is the median, half of the jobs lie in the dark box, eight in ten in the pale one. The most frequent models of each kind are shown.`,
    kinds.map(([kind, panels]) => kindOfDurations(kind, panels)),
    numbers(
      "Durations by kind and model",
      [
        ["Kind and model", (row) => [words(row.kind), " · ", name(row.title)]],
        ["Jobs", (row) => count(row.jobs), "number"],
        ["Median", (row) => duration(row.p50), "number"],
        ["95th percentile", (row) => duration(row.p95), "number"],
      ],
      kinds.flatMap(([, panels]) => panels),
    ),
  );
}

// --- phases -------------------------------------------------------------------------------------

// Jobs tell the times of their phases, or two listings tell the bounds of those times.
function phasesOf(kind, rows) {
  const isBounded = rows.some(({ measure }) => measure === "longest");
  const phases = [...new Set(PHASES.get(kind).map(({ phase }) => phase))].map((phase, place) => ({
    phase,
    place,
    title: words(phase),
    fill: seriesColour(place),
  }));
  const title = `Phases of ${lower(kind)} jobs`;
  const periods = [...groups(rows, (row) => row.period)].map(([period, members]) => [
    period,
    phases
      .map((phase) => ({ ...phase, ...timesOf(members, phase.phase, isBounded) }))
      .filter(({ jobs }) => jobs > 0)
      .map((phase) => (isBounded ? boundsPart : meanPart)(periodWords(period), phase)),
  ]);
  return element(
    "div",
    { id: `phases-${kind}` },
    element("h3", title),
    element(
      "p.note",
      isBounded
        ? `AWS does not tell when one of these ends and the next begins: by ${EACH}, the true median lies somewhere in the bar, between what two listings saw.`
        : `Mean time in each phase that was completed, by ${EACH} of creation.`,
    ),
    legend(phases.map((phase) => [phase.fill, phase.title])),
    isBounded
      ? boundsChart(`${title}: bounds of the median, by ${EACH}`, phases.length, periods)
      : phasesChart(`${title}: mean times, by ${EACH}`, periods),
    table(
      title,
      [
        ["Phase", (row) => [key(row.fill), row.title]],
        ["Jobs", (row) => count(row.jobs), "number"],
        ["Median", (row) => row.told(0.5), "number"],
        ["95th percentile", (row) => row.told(0.95), "number"],
      ],
      phases.map((phase) => ({ ...phase, ...timesOf(rows, phase.phase, isBounded) })),
    ),
  );
}

// How many jobs went through a phase, and what their times, or the bounds of them, are.
function timesOf(rows, phase, isBounded) {
  const [low, high] = (isBounded ? ["shortest", "longest"] : ["time", "time"]).map((measure) =>
    rows.filter((row) => row.phase === phase && row.measure === measure),
  );
  const jobs = sum(high, "job_count");
  const at = (share) => [low, high].flatMap((times) => quantilesOf(times, [share]));
  const mean = total(high.map((row) => row.seconds * row.job_count)) / jobs;
  const told = (share) =>
    isBounded && jobs ? at(share).map(duration).join(" to ") : duration(at(share)[0]);
  return { jobs, mean, at, told };
}

function meanPart(period, { title, fill, jobs, mean }) {
  return [
    mean,
    fill,
    `${period}\n${title}: ${duration(mean)} in the mean of ${counted(jobs, "job")}`,
  ];
}

function boundsPart(period, { title, place, jobs, at }) {
  const [low, high] = at(0.5);
  const between = `median between ${duration(low)} and ${duration(high)}`;
  return [low, high, place, `${period}\n${title}: ${between}\nof ${counted(jobs, "job")}`];
}

function stages() {
  const kinds = groups(
    chosen("times").filter((row) => row.phase !== null),
    (row) => row.kind,
  );
  const blocks = [...kinds].map(([kind, rows]) => phasesOf(kind, rows));
  return section(
    "stages",
    "Where the time goes",
    null,
    blocks.length
      ? element("div.columns.even", blocks)
      : nothing("No job tells how long its phases took."),
  );
}
