// The sections about jobs: what became of them by day, and those that need somebody.

const ENDED = ["succeeded", "partially_succeeded", "failed", "expired"];

function endedOf(rows) {
  return ENDED.reduce((total, outcome) => total + sum(rows, outcome), 0);
}

function rateOf(rows) {
  const ended = endedOf(rows);
  return ended ? sum(rows, "succeeded") / ended : null;
}

function byDay() {
  const rows = chosen("days");
  if (rows.length === 0)
    return {
      content: section(
        "days",
        "Jobs by day",
        null,
        nothing("No job was created in the last 90 days."),
      ),
    };
  const found = groups(rows, (row) => Date.parse(row.day));
  const last = LAST_DAY;
  const first = Math.min(...found.keys(), last - 13 * DAY);
  const days = Array.from(
    { length: Math.round((last - first) / DAY) + 1 },
    (_, day) => first + day * DAY,
  );
  const daily = days.map((day) => {
    const jobs = found.get(day) ?? [];
    const week = days
      .filter((other) => other > day - 7 * DAY && other <= day)
      .flatMap((other) => found.get(other) ?? []);
    const outcomes = Object.fromEntries(OUTCOMES.map(([outcome]) => [outcome, sum(jobs, outcome)]));
    const total = Object.values(outcomes).reduce((one, other) => one + other, 0);
    return {
      day,
      ...outcomes,
      total,
      ended: endedOf(jobs),
      rate: rateOf(jobs),
      week_rate: rateOf(week),
      week_ended: endedOf(week),
    };
  });
  const present = OUTCOMES.filter(([outcome]) => sum(daily, outcome) > 0);
  const content = section(
    "days",
    "Jobs by day",
    `By the day of their creation, ${shortDay(first)} to ${shortDay(last)}; days are UTC.`,
    figure("Jobs created", legend(present), chart("days-counts")),
    figure(
      "Success rate",
      element("p", { class: "note" }, "The line is the rate of seven days, a dot that of one day."),
      chart("days-rates"),
    ),
    numbers(
      "Jobs and success rate by day",
      [
        ["Day", (row) => weekday(row.day)],
        ["Jobs", (row) => count(row.total), "number"],
        ...present.map(([outcome, words]) => [words, (row) => count(row[outcome]), "number"]),
        ["Success rate", (row) => percent(row.rate), "number"],
      ],
      [...daily].reverse(),
    ),
  );
  return {
    content,
    drawn: () => {
      drawCounts(document.getElementById("days-counts"), days, daily);
      drawRates(document.getElementById("days-rates"), days, daily);
    },
  };
}

const SHOWN = 10;

function totalOf(rows, column) {
  const places = groups(rows, (row) => [row.kind, row.account, row.region].join(" "));
  return [...places.values()].reduce((total, [row]) => total + row[column], 0);
}

function failures() {
  const rows = chosen("failures");
  const total = totalOf(rows, "failed_count");
  const title = "Failures";
  if (total === 0)
    return {
      content: section(
        "failures",
        title,
        null,
        nothing("No job failed or expired in the last 30 days."),
      ),
    };
  const shown = rows.slice(0, SHOWN);
  const reasons = [...groups(chosen("reasons"), (row) => row.reason ?? "").entries()]
    .map(([reason, rows]) => ({
      reason,
      jobs: sum(rows, "job_count"),
      isExample: rows[0].is_example,
    }))
    .sort((a, b) => (a.reason === "") - (b.reason === "") || b.jobs - a.jobs);
  const most = reasons.slice(0, 8);
  const rest = reasons.slice(8).reduce((jobs, row) => jobs + row.jobs, 0);
  if (rest) most.push({ reason: "", jobs: rest });
  const highest = Math.max(...most.map(({ jobs }) => jobs));
  const content = section(
    "failures",
    title,
    `${counted(total, "job")} failed or expired in the last 30 days${total > shown.length ? `; the newest ${shown.length} are listed` : ""}.`,
    element(
      "div",
      { class: "columns" },
      withClass(
        "stacked",
        table(
          "Newest failures",
          [
            [
              "Job",
              (row) => jobCell(row, row.outcome === "expired" ? "expired" : null, "badge quiet"),
            ],
            [
              "Reason",
              (row) =>
                row.reason === null
                  ? element("span", { class: "about" }, "AWS tells none")
                  : name(row.reason, { class: "reason" }),
              "reasons",
            ],
            ["Ended", (row) => minute(row.failed_at), "instant"],
          ],
          shown,
        ),
      ),
      table(
        "Why jobs fail",
        [
          [
            "Reason",
            ({ reason, isExample }) =>
              reason
                ? [
                    name(reason, { class: "reason" }),
                    isExample
                      ? element("span", { class: "about" }, "and the like, with other numbers")
                      : null,
                  ]
                : "Other reasons",
          ],
          ["Jobs", ({ jobs }) => bar(jobs / highest, count(jobs), "failed"), "number"],
        ],
        most,
      ),
    ),
  );
  return { content };
}

function withClass(words, node) {
  node.classList.add(words);
  return node;
}

function bar(share, words, key) {
  return element(
    "span",
    { class: "bar" },
    element(
      "span",
      { class: "bar-track" },
      element("span", {
        class: "bar-fill",
        style: `width:${(share * 100).toFixed(1)}%;background:${colour(key)}`,
      }),
    ),
    element("span", {}, words),
  );
}

function times(number) {
  return number === null ? "–" : `${number < 10 ? number.toFixed(1) : WHOLE.format(number)}×`;
}

function runningAndSlow() {
  const running = chosen("running");
  const runs = totalOf(running, "running_count");
  const overdue = totalOf(running, "overdue_count");
  const late = running.slice(0, SHOWN);
  const slow = chosen("slowest").slice(0, SHOWN);
  const longest = Math.max(...slow.map((row) => row.seconds));
  const columns = [];
  columns.push(
    runs === 0
      ? element(
          "div",
          {},
          element("h3", {}, "Running and overdue"),
          nothing("No job was running when last listed."),
        )
      : element(
          "div",
          {},
          element("h3", {}, "Running and overdue"),
          element(
            "p",
            { class: "note" },
            `${counted(runs, "job")} ran when last listed, ${overdue === 0 ? "none" : count(overdue)} of them overdue: 19 in 20 jobs like it took less time.${runs > late.length ? ` The ${late.length} that are latest are listed.` : ""}`,
          ),
          table(
            "Running jobs, the latest first",
            [
              ["Job", (row) => jobCell(row, row.is_overdue ? "overdue" : null)],
              ["Status", (row) => name(row.status ?? "–", { class: "" })],
              ["Age", (row) => duration(row.seconds), "number"],
              ["Usually", (row) => duration(row.usual_seconds), "number"],
            ],
            late,
          ),
        ),
  );
  columns.push(
    slow.length === 0
      ? element(
          "div",
          {},
          element("h3", {}, "Slowest"),
          nothing("No job of the last 30 days has ended."),
        )
      : element(
          "div",
          {},
          element("h3", {}, "Slowest"),
          element(
            "p",
            { class: "note" },
            "Of the jobs of the last 30 days that have ended, against the median of the same kind and model.",
          ),
          table(
            "Slowest jobs of the last 30 days",
            [
              [
                "Job",
                (row) =>
                  jobCell(
                    row,
                    row.outcome === "succeeded"
                      ? null
                      : OUTCOMES.find(([outcome]) => outcome === row.outcome)[1].toLowerCase(),
                    "badge quiet",
                  ),
              ],
              [
                "Took",
                (row) => bar(row.seconds / longest, duration(row.seconds), "spread-near"),
                "number",
              ],
              [
                "Usual",
                (row) => times(row.usual_seconds ? row.seconds / row.usual_seconds : null),
                "number",
              ],
            ],
            slow,
          ),
        ),
  );
  return {
    content: section(
      "slow",
      "Running, overdue and slow",
      null,
      element("div", { class: "columns even" }, columns),
    ),
  };
}
