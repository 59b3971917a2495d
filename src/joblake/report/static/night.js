// Last night at a glance, below the scopes that could not be seen.

const NIGHTS = [...new Set((TABLES.nights ?? []).map((row) => row.night))].sort();

const PROBLEMS = {
  partial: () => "Stopped half-way: what was seen is kept",
  denied: () => "Access denied",
  failed: () => "The listing failed",
  held: () => "Much vanished at once: held until the next listing confirms it",
  not_listed: (row) => `Not listed since ${minute(row.last_listing_at)}`,
  never_complete: () => "Never listed completely",
  long_incomplete: (row) => `Not listed completely since ${minute(row.last_complete_at)}`,
};

function age() {
  const hours = Math.floor((Date.now() - PAGE.as_of) / 3_600_000);
  if (hours < 36) return null;
  const told = hours >= 48 ? counted(Math.floor(hours / 24), "day") : counted(hours, "hour");
  return element(
    "p.notice",
    { role: "alert" },
    element("strong", `The newest listing is ${told} old. `),
    "What happened since is not on this page.",
  );
}

function coverage() {
  const rows = chosen("coverage");
  const scopes = totalOf(rows, "scope_count");
  const troubled = totalOf(rows, "problem_count");
  if (scopes === 0) return null;
  if (troubled === 0) {
    const all = scopes === 1 ? "The one scope was" : `All ${count(scopes)} scopes were`;
    return element("p.sound", `${all} listed completely.`);
  }
  const listed = rows.filter((row) => row.problem).slice(0, 12);
  const more = troubled - listed.length;
  const were = troubled === 1 ? "was" : "were";
  return element(
    "div.notice",
    element(
      "p",
      element(
        "strong",
        `${counted(troubled, "scope")} of ${count(scopes)} ${were} not seen completely. `,
      ),
      "Figures of these places may lack jobs.",
    ),
    stacked(
      "Scopes that were not seen completely",
      [
        [
          "Scope",
          (row) => [name(row.table_name), about(row.listed_account, row.region, row.parent)],
        ],
        [
          "What happened",
          (row) => [PROBLEMS[row.problem](row), row.error && about(row.error)],
          "reasons",
        ],
        [
          "Last complete",
          (row) => (row.last_complete_at === null ? "never" : minute(row.last_complete_at)),
          "instant",
        ],
      ],
      listed,
    ),
    more > 0 && element("p.more", `And ${count(more)} more.`),
  );
}

function tile(id, title, number, context, ...chart) {
  return element(
    "div.tile",
    { id },
    element("p.tile-title", title),
    element("p.tile-number", number),
    element("p.tile-context", context),
    chart,
  );
}

function nightTile(id, title, one) {
  const rows = groups(chosen("nights"), (row) => row.night);
  const nights = NIGHTS.map((night) => {
    const number = sum(rows.get(night) ?? [], `${id}_count`);
    return { number, told: `Night of ${weekday(Date.parse(night))}\n${counted(number, one)}` };
  });
  const numbers = nights.map(({ number }) => number);
  const last = numbers.pop() ?? 0;
  const usual = numbers.length
    ? `median night: ${count(median(numbers))}`
    : "the first night on record";
  const chart = nights.length && nightsChart(`${title}: the last ${nights.length} nights`, nights);
  const made = tile(id, title, count(last), usual, chart);
  if (id === "failed" && last > 0) made.classList.add("alarming");
  return made;
}

function stateTile(...parts) {
  const made = tile(...parts);
  made.classList.add("state");
  return made;
}

function atAGlance() {
  const overdue = totalOf(chosen("running"), "overdue_count");
  const since = (days) =>
    chosen("days").filter((row) => Date.parse(row.day) > LAST_DAY - days * DAY);
  const models = chosen("model_counts");
  const told = (column) => count(sum(models, column));
  return section(
    "night",
    "Last night",
    null,
    age(),
    coverage(),
    element(
      "div.tiles",
      nightTile("new", "New jobs", "new job"),
      nightTile("finished", "Finished", "finished job"),
      nightTile("failed", "Failed", "failed job"),
      nightTile("vanished", "Vanished", "vanished job"),
      stateTile(
        "running",
        "Running now",
        count(totalOf(chosen("running"), "running_count")),
        overdue ? element("strong.urgent", `${count(overdue)} overdue`) : "none overdue",
      ),
      stateTile(
        "success",
        "Success rate, 7 days",
        percent(rateOf(since(7))),
        `${percent(rateOf(since(35)))} over 5 weeks`,
      ),
    ),
    chosenModels().length > 0 &&
      element(
        "p.note",
        `Custom models: ${told("new_count")} new, ${told("vanished_count")} vanished, ${told("living_count")} listed.`,
      ),
  );
}
