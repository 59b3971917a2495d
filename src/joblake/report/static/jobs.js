// The sections about jobs: their outcomes by day, and the jobs that need attention.

const SHOWN = 10;
const ENDED = ["succeeded", "partially_succeeded", "failed", "expired"];

function endedOf(rows) {
  return total(ENDED.map((outcome) => sum(rows, `${outcome}_count`)));
}

function rateOf(rows) {
  const ended = endedOf(rows);
  return ended ? sum(rows, "succeeded_count") / ended : null;
}

// Every day from the first with jobs, two weeks ago at the latest, to the last listing's.
function daily(rows) {
  const found = groups(rows, (row) => Date.parse(row.day));
  const first = Math.min(...found.keys(), LAST_DAY - 13 * DAY);
  const days = Array.from(
    { length: Math.round((LAST_DAY - first) / DAY) + 1 },
    (_, place) => first + place * DAY,
  );
  return days.map((day, place) => {
    const jobs = found.get(day) ?? [];
    const week = days
      .slice(Math.max(0, place - 6), place + 1)
      .flatMap((each) => found.get(each) ?? []);
    const counts = OUTCOMES.map(([outcome]) => [outcome, sum(jobs, `${outcome}_count`)]);
    return {
      day,
      ...Object.fromEntries(counts),
      total: total(counts.map(([, number]) => number)),
      ended: endedOf(jobs),
      rate: rateOf(jobs),
      week_ended: endedOf(week),
      week_rate: rateOf(week),
    };
  });
}

function byDay() {
  const title = "Jobs by day";
  const rows = chosen("days");
  if (rows.length === 0)
    return section("days", title, null, nothing("No job was created in the last 90 days."));
  const days = daily(rows);
  const present = OUTCOMES.filter(([outcome]) => sum(days, outcome) > 0);
  return section(
    "days",
    title,
    `By the day of their creation, ${shortDay(days[0].day)} to ${shortDay(LAST_DAY)}; days are UTC.`,
    figure(
      "Jobs created",
      legend(present.map(([outcome, told]) => [colour(outcome), told])),
      countsChart(days),
    ),
    figure(
      "Success rate",
      element("p.note", "The line is the rate of seven days, a dot that of one day."),
      ratesChart(days),
    ),
    numbers(
      "Jobs and success rate by day",
      [
        ["Day", (row) => weekday(row.day)],
        ["Jobs", (row) => count(row.total), "number"],
        ...present.map(([outcome, told]) => [told, (row) => count(row[outcome]), "number"]),
        ["Success rate", (row) => percent(row.rate), "number"],
      ],
      days.toReversed(),
    ),
  );
}

function reasonsTable() {
  const reasons = ranked(chosen("reasons"), (row) => row.reason);
  const most = reasons.slice(0, 8);
  const rest = sum(reasons.slice(8), "jobs");
  if (rest) most.push({ key: "", jobs: rest });
  const highest = Math.max(...most.map(({ jobs }) => jobs));
  return table(
    "Why jobs fail",
    [
      [
        "Reason",
        ({ key, members }) =>
          key
            ? [
                element("bdi.reason", key),
                members[0].is_example && about("and the like, with other numbers"),
              ]
            : "Other reasons",
      ],
      ["Jobs", ({ jobs }) => shareBar(jobs / highest, count(jobs), colour("failed")), "number"],
    ],
    most,
  );
}

function failures() {
  const rows = chosen("failures");
  const title = "Failures";
  if (rows.length === 0)
    return section(
      "failures",
      title,
      null,
      nothing("No job failed or expired in the last 30 days."),
    );
  const all = totalOf(rows, "failed_count");
  const shown = rows.slice(0, SHOWN);
  const cut = all > shown.length ? `; the newest ${shown.length} are listed` : "";
  return section(
    "failures",
    title,
    `${counted(all, "job")} failed or expired in the last 30 days${cut}.`,
    element(
      "div.columns",
      stacked(
        "Newest failures",
        [
          ["Job", (row) => jobCell(row, row.outcome === "failed" ? null : lower(row.outcome))],
          [
            "Reason",
            ({ message }) =>
              message === null ? about("AWS tells none") : element("bdi.reason", message),
            "reasons",
          ],
          ["Ended", (row) => minute(row.failed_at), "instant"],
        ],
        shown,
      ),
      reasonsTable(),
    ),
  );
}

function runningJobs() {
  const rows = chosen("running");
  if (rows.length === 0) return nothing("No job was running when last listed.");
  const all = totalOf(rows, "running_count");
  const overdue = totalOf(rows, "overdue_count") || "none";
  const late = rows.slice(0, SHOWN);
  const cut = all > late.length ? ` The ${late.length} that are latest are listed.` : "";
  return [
    element(
      "p.note",
      `${counted(all, "job")} ran when last listed, ${overdue.toLocaleString("en")} of them overdue: 19 in 20 jobs like it took less time.${cut}`,
    ),
    table(
      "Running jobs, the latest first",
      [
        ["Job", (row) => jobCell(row, row.is_overdue && "overdue", "badge")],
        ["Status", (row) => element("bdi", row.status ?? "–")],
        ["Age", (row) => duration(row.seconds), "number"],
        ["Usually", (row) => duration(row.usual_seconds), "number"],
      ],
      late,
    ),
  ];
}

function slowestJobs() {
  const slow = chosen("slowest").slice(0, SHOWN);
  if (slow.length === 0) return nothing("No job of the last 30 days has ended.");
  const longest = Math.max(...slow.map((row) => row.seconds));
  const took = ({ seconds }) =>
    shareBar(seconds / longest, duration(seconds), colour("spread-near"));
  const outcomes = Object.fromEntries(OUTCOMES);
  const outcome = (row) => row.outcome !== "succeeded" && outcomes[row.outcome].toLowerCase();
  return [
    element(
      "p.note",
      "Of the jobs of the last 30 days that have ended, against the median of the same kind and model.",
    ),
    table(
      "Slowest jobs of the last 30 days",
      [
        ["Job", (row) => jobCell(row, outcome(row))],
        ["Took", took, "number"],
        ["Usual", (row) => times(row.usual_seconds && row.seconds / row.usual_seconds), "number"],
      ],
      slow,
    ),
  ];
}

function times(number) {
  return number ? `${number < 10 ? number.toFixed(1) : count(number)}×` : "–";
}

function runningAndSlow() {
  return section(
    "slow",
    "Running, overdue and slow",
    null,
    element(
      "div.columns.even",
      element("div", element("h3", "Running and overdue"), runningJobs()),
      element("div", element("h3", "Slowest"), slowestJobs()),
    ),
  );
}
