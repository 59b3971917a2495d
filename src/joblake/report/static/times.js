// The sections about time: durations by kind and model, phases, queue against run.

const PERIODS = [...new Set((TABLES.times ?? []).map((row) => row.period))].sort();
const EACH = PAGE.period;
const isMonthly = EACH === "month";

// Every period between the first and the last, so that an empty one shows as a gap; six or more.
const AXIS = PERIODS.length === 0 ? [] : periodsBetween(PERIODS[0], PERIODS[PERIODS.length - 1]);

function periodsBetween(first, last) {
  const found = [];
  const day = new Date(last);
  while (found.length < 6 || day >= new Date(first)) {
    found.unshift(day.toISOString().slice(0, 10));
    if (isMonthly) day.setUTCMonth(day.getUTCMonth() - 1);
    else day.setUTCDate(day.getUTCDate() - 7);
  }
  return found;
}

function periodWords(period) {
  return isMonthly ? monthName(Date.parse(period)) : `week of ${shortDay(Date.parse(period))}`;
}

function spreadsOf(rows) {
  return [...groups(rows, (row) => row.period).entries()].map(([period, members]) => {
    const [p10, p25, p50, p75, p90] = quantilesOf(members, [0.1, 0.25, 0.5, 0.75, 0.9]);
    const jobs = sum(members, "job_count");
    const told = `${periodWords(period)}\nmedian ${duration(p50)} of ${counted(jobs, "job")}\nhalf between ${duration(p25)} and ${duration(p75)}\neight in ten between ${duration(p10)} and ${duration(p90)}`;
    return { period, jobs, told, ...logarithmic({ p10, p25, p50, p75, p90 }) };
  });
}

// A logarithmic axis has no place for less than a second.
function logarithmic(times) {
  return Object.fromEntries(
    Object.entries(times).map(([share, seconds]) => [share, Math.max(seconds, 1)]),
  );
}

function extentOf(panels) {
  const low = Math.min(...panels.flatMap(({ spreads }) => spreads.map(({ p10 }) => p10)));
  const high = Math.max(...panels.flatMap(({ spreads }) => spreads.map(({ p90 }) => p90)));
  return [Math.max(1, low / 1.3), high * 1.3];
}

function durations() {
  const rows = chosen("times").filter((row) => row.measure === "job");
  const title = "Durations";
  if (rows.length === 0)
    return {
      content: section(
        "durations",
        title,
        null,
        nothing("No job that succeeded tells how long it took."),
      ),
    };
  const drawings = [];
  const summary = [];
  const kinds = Object.entries(KINDS).filter(([kind]) => rows.some((row) => row.kind === kind));
  const blocks = kinds.map(([kind, words]) => {
    const ofKind = rows.filter((row) => row.kind === kind);
    const models = [...groups(ofKind, (row) => row.model ?? "").entries()]
      .map(([model, members]) => ({ model, members, jobs: sum(members, "job_count") }))
      .sort((a, b) => (a.model === "") - (b.model === "") || b.jobs - a.jobs);
    const panels = [
      { title: "All models", members: ofKind },
      ...models.map(({ model, members }) => ({
        title: model === "" ? "Other models" : shortModel(model),
        members,
      })),
    ].filter((_, place) => models.length > 1 || place > 0);
    for (const panel of panels) {
      const [p50, p95] = quantilesOf(panel.members, [0.5, 0.95]);
      Object.assign(panel, {
        kind: words,
        p50,
        p95,
        jobs: sum(panel.members, "job_count"),
        spreads: spreadsOf(panel.members),
      });
    }
    summary.push(...panels);
    const extent = extentOf(panels);
    const [first, ...others] = panels
      .filter((panel) => panel.title !== "Other models")
      .map((panel, place) => {
        const id = `durations-${kind}-${place}`;
        drawings.push(() =>
          drawSpread(
            document.getElementById(id),
            `${words}, ${panel.title}: how long jobs took, by ${EACH}`,
            130,
            AXIS,
            panel.spreads,
            extent,
          ),
        );
        return element(
          "figure",
          { class: "panel" },
          element(
            "figcaption",
            {},
            name(panel.title, { class: "name line", title: panel.title }),
            element(
              "span",
              { class: "about" },
              `median ${duration(panel.p50)} · 95th percentile ${duration(panel.p95)} · ${counted(panel.jobs, "job")}`,
            ),
          ),
          chart(id),
        );
      });
    return element(
      "div",
      { class: "kind" },
      element("h3", {}, words),
      isNarrow() && others.length
        ? [
            element("div", { class: "panels" }, first),
            element(
              "details",
              {},
              element("summary", {}, `By model (${others.length})`),
              element("div", { class: "panels" }, others),
            ),
          ]
        : element("div", { class: "panels" }, first, others),
    );
  });
  const content = section(
    "durations",
    title,
    `From creation to end, of jobs that succeeded, by ${EACH} of creation; the axis is logarithmic. The line is the median, half of the jobs lie in the dark box, eight in ten in the pale one. The most frequent models of each kind are shown.`,
    ...blocks,
    numbers(
      "Durations by kind and model",
      [
        ["Kind and model", (row) => [row.kind, " · ", name(row.title)]],
        ["Jobs", (row) => count(row.jobs), "number"],
        ["Median", (row) => duration(row.p50), "number"],
        ["95th percentile", (row) => duration(row.p95), "number"],
      ],
      summary,
    ),
  );
  return { content, drawn: () => drawings.forEach((each) => each()) };
}

function phases() {
  const rows = chosen("times").filter((row) => PHASES.some(([phase]) => phase === row.measure));
  if (rows.length === 0)
    return {
      content: element(
        "div",
        {},
        element("h3", {}, "Phases of customization jobs"),
        nothing("No customization job tells its phases."),
      ),
    };
  const values = [];
  for (const [period, members] of groups(rows, (row) => row.period)) {
    PHASES.forEach(([phase, words], order) => {
      const ofPhase = members.filter((row) => row.measure === phase);
      const jobs = sum(ofPhase, "job_count");
      if (jobs === 0) return;
      const mean = meanOf(ofPhase);
      values.push({
        period,
        phase,
        order,
        mean,
        told: `${periodWords(period)}\n${words}: ${duration(mean)} in the mean of ${counted(jobs, "job")}`,
      });
    });
  }
  const summary = PHASES.map(([phase, words]) => {
    const ofPhase = rows.filter((row) => row.measure === phase);
    const [p50, p95] = quantilesOf(ofPhase, [0.5, 0.95]);
    return { phase, words, jobs: sum(ofPhase, "job_count"), p50, p95 };
  });
  const content = element(
    "div",
    {},
    element("h3", {}, "Phases of customization jobs"),
    element(
      "p",
      { class: "note" },
      `Mean time in each phase that was completed, by ${EACH} of creation.`,
    ),
    legend(PHASES),
    chart("phases"),
    timeTable("Phases of customization jobs", "Phase", summary),
  );
  return { content, drawn: () => drawPhases(document.getElementById("phases"), AXIS, values) };
}

function meanOf(rows) {
  return (
    rows.reduce((total, row) => total + row.seconds * row.job_count, 0) / sum(rows, "job_count")
  );
}

function timeTable(caption, title, rows) {
  return table(
    caption,
    [
      [
        title,
        (row) => [
          element("span", {
            class: "key",
            style: `background:${colour(row.phase)}`,
            "aria-hidden": "true",
          }),
          row.words,
        ],
      ],
      ["Jobs", (row) => count(row.jobs), "number"],
      ["Median", (row) => row.median ?? duration(row.p50), "number"],
      ["95th percentile", (row) => row.late ?? duration(row.p95), "number"],
    ],
    rows,
  );
}

function waits() {
  const rows = chosen("times").filter((row) => /_(shortest|longest)$/.test(row.measure));
  const title = "Queue against run of batch jobs";
  if (rows.length === 0)
    return {
      content: element(
        "div",
        {},
        element("h3", {}, title),
        nothing("No batch job has been seen to wait and run."),
      ),
    };
  const bounds = (members, wait, share) =>
    ["shortest", "longest"].map(
      (bound) =>
        quantilesOf(
          members.filter((row) => row.measure === `${wait}_${bound}`),
          [share],
        )[0],
    );
  const values = [];
  for (const [period, members] of groups(rows, (row) => row.period)) {
    for (const [wait, words] of WAITS) {
      const [low, high] = bounds(members, wait, 0.5);
      if (low === null) continue;
      const jobs = sum(
        members.filter((row) => row.measure === `${wait}_longest`),
        "job_count",
      );
      values.push({
        period,
        wait,
        low,
        high,
        told: `${periodWords(period)}\n${words}: median between ${duration(low)} and ${duration(high)}\nof ${counted(jobs, "job")}`,
      });
    }
  }
  const summary = WAITS.map(([wait, words]) => {
    const ofWait = rows.filter((row) => row.measure === `${wait}_longest`);
    const [low, high] = bounds(rows, wait, 0.5);
    const [lateLow, lateHigh] = bounds(rows, wait, 0.95);
    return {
      phase: wait,
      words,
      jobs: sum(ofWait, "job_count"),
      median: interval(low, high),
      late: interval(lateLow, lateHigh),
    };
  });
  const content = element(
    "div",
    {},
    element("h3", {}, title),
    element(
      "p",
      { class: "note" },
      `AWS does not tell when a batch job starts: by ${EACH}, the true median lies somewhere in the bar, between what two listings saw.`,
    ),
    legend(WAITS),
    chart("waits"),
    timeTable("Time in the queue and running of batch jobs", "Stage", summary),
  );
  return { content, drawn: () => drawWaits(document.getElementById("waits"), AXIS, values) };
}

function interval(low, high) {
  return low === null ? "–" : `${duration(low)} to ${duration(high)}`;
}

function stages() {
  const parts = [phases(), waits()];
  return {
    content: section(
      "stages",
      "Where the time goes",
      null,
      element(
        "div",
        { class: "columns even" },
        parts.map(({ content }) => content),
      ),
    ),
    drawn: () => parts.forEach((part) => part.drawn?.()),
  };
}
