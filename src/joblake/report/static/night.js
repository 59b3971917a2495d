// Last night at a glance, and on top of it what could not be seen.

const PROBLEMS = {
  partial: () => "Stopped half-way: what was seen is kept",
  denied: () => "Access denied",
  failed: () => "The listing failed",
  held: () => "Much vanished at once: held until the next listing confirms it",
  not_listed: (row) => `Not listed since ${minute(row.last_listing_at)}`,
  never_complete: () => "Never listed completely",
  long_incomplete: (row) => `Not listed completely since ${minute(row.last_complete_at)}`,
};

function scopeCell(row) {
  const place = [row.listed_account, row.region, row.membership].filter(Boolean).join(" · ");
  return [
    element("span", { class: "name" }, row.table_name),
    element("span", { class: "about" }, place),
  ];
}

function coverage() {
  const rows = chosen("coverage");
  const places = [
    ...groups(rows, (row) => [row.table_name, row.account, row.region].join(" ")).values(),
  ];
  const scopes = places.reduce((total, [row]) => total + row.scope_count, 0);
  const troubled = places.reduce((total, [row]) => total + row.problem_count, 0);
  const shown = rows.filter((row) => row.problem);
  const notices = [];
  const age = Math.floor((Date.now() - PAGE.as_of) / 3_600_000);
  if (age >= 36) {
    const days = age >= 48 ? counted(Math.floor(age / 24), "day") : counted(age, "hour");
    notices.push(
      element(
        "p",
        { class: "notice", role: "alert" },
        element("strong", {}, `The newest listing is ${days} old. `),
        "What happened since is not on this page.",
      ),
    );
  }
  if (scopes === 0) return notices;
  if (troubled === 0) {
    notices.push(
      element(
        "p",
        { class: "sound" },
        `${scopes === 1 ? "The one scope was" : `All ${count(scopes)} scopes were`} listed completely.`,
      ),
    );
    return notices;
  }
  const listed = shown.slice(0, 12);
  const more = troubled - listed.length;
  notices.push(
    element(
      "div",
      { class: "notice" },
      element(
        "p",
        {},
        element(
          "strong",
          {},
          `${counted(troubled, "scope")} of ${count(scopes)} ${troubled === 1 ? "was" : "were"} not seen completely. `,
        ),
        "Figures of these places may lack jobs.",
      ),
      withClass(
        "stacked",
        table(
          "Scopes that were not seen completely",
          [
            ["Scope", scopeCell],
            [
              "What happened",
              (row) => [
                PROBLEMS[row.problem](row),
                row.error
                  ? element("span", { class: "about" }, name(row.error, { class: "" }))
                  : null,
              ],
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
      ),
      more > 0 ? element("p", { class: "more" }, `And ${count(more)} more.`) : null,
    ),
  );
  return notices;
}

const NIGHTS = [...new Set((TABLES.nights ?? []).map((row) => row.night))].sort();

function tile(
  id,
  title,
  number,
  context,
  { isAlarming = false, isUrgent = false, isState = false } = {},
) {
  return element(
    "div",
    { class: `tile${isAlarming ? " alarming" : ""}${isState ? " state" : ""}`, id },
    element("p", { class: "tile-title" }, title),
    element("p", { class: "tile-number" }, number),
    element("p", { class: isUrgent ? "tile-context urgent" : "tile-context" }, context),
    isState ? null : element("div", { class: "spark", id: `${id}-chart` }),
  );
}

function nightTile(id, title, one, column, isAlarming = () => false) {
  const nights = NIGHTS.map((night) => {
    const number = sum(
      chosen("nights").filter((row) => row.night === night),
      column,
    );
    return {
      night,
      number,
      told: `Night of ${weekday(Date.parse(night))}\n${counted(number, one)}`,
    };
  });
  const last = nights.at(-1)?.number ?? 0;
  const before = nights.slice(0, -1).map(({ number }) => number);
  const usual = before.length
    ? `median night: ${count(median(before))}`
    : "the first night on record";
  return {
    node: tile(id, title, count(last), usual, { isAlarming: isAlarming(last) }),
    drawn: () =>
      nights.length &&
      drawNights(
        document.getElementById(`${id}-chart`),
        `${title}: the last ${nights.length} nights`,
        nights,
      ),
  };
}

function atAGlance() {
  const running = [
    ...groups(chosen("running"), (row) => [row.kind, row.account, row.region].join(" ")).values(),
  ];
  const runs = running.reduce((total, [row]) => total + row.running_count, 0);
  const overdue = running.reduce((total, [row]) => total + row.overdue_count, 0);
  const since = (days) =>
    chosen("days").filter((row) => Date.parse(row.day) > LAST_DAY - days * DAY);
  const tiles = [
    nightTile("new", "New jobs", "new job", "new_count"),
    nightTile("finished", "Finished", "finished job", "finished_count"),
    nightTile("failed", "Failed", "failed job", "failed_count", (number) => number > 0),
    nightTile("vanished", "Vanished", "vanished job", "vanished_count"),
  ];
  const models = choice.kind && choice.kind !== "customization" ? [] : chosen("model_counts");
  const told = models.length
    ? `Custom models: ${count(sum(models, "new_count"))} new, ${count(sum(models, "vanished_count"))} vanished, ${count(sum(models, "living_count"))} listed.`
    : null;
  const content = section(
    "night",
    "Last night",
    null,
    ...coverage(),
    element(
      "div",
      { class: "tiles" },
      tiles.map(({ node }) => node),
      tile(
        "running",
        "Running now",
        count(runs),
        overdue ? `${count(overdue)} overdue` : "none overdue",
        { isUrgent: overdue > 0, isState: true },
      ),
      tile(
        "success",
        "Success rate, 7 days",
        percent(rateOf(since(7))),
        `${percent(rateOf(since(35)))} over 5 weeks`,
        { isState: true },
      ),
    ),
    told ? element("p", { class: "note" }, told) : null,
  );
  return { content, drawn: () => tiles.forEach((each) => each.drawn()) };
}
