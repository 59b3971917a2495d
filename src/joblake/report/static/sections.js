// The sections of the page, each from the rows that the filters leave. Whatever comes from the lake
// becomes text of a node, never markup.

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

// Names are other people's: whatever direction they are written in, they steer nothing around them.
function name(text, attributes = {}) {
  return element("bdi", { class: "name", ...attributes }, text);
}

function section(id, title, note, ...content) {
  return element(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    note ? element("p", { class: "note" }, note) : null,
    ...content,
  );
}

function nothing(words) {
  return element("p", { class: "nothing" }, words);
}

// Columns are [title, cell of a row, class]; the first names the row. The roles are those of the
// elements, said again because narrow windows lay the cells out as something else than a table.
function table(caption, columns, rows) {
  const head = columns.map(([title, , kind]) => element("th", { scope: "col", role: "columnheader", class: kind }, title));
  const body = rows.map((row) =>
    element(
      "tr",
      { role: "row" },
      columns.map(([, cell, kind], place) =>
        place === 0
          ? element("th", { scope: "row", role: "rowheader", class: kind }, cell(row))
          : element("td", { role: "cell", class: kind }, cell(row)),
      ),
    ),
  );
  return element(
    "table",
    { role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element("tbody", { role: "rowgroup" }, body),
  );
}

function numbers(caption, columns, rows) {
  return element(
    "details",
    { class: "numbers" },
    element("summary", {}, "The numbers"),
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table(caption, columns, rows)),
  );
}

function legend(pairs) {
  const keys = pairs.map(([key, words]) =>
    element("li", {}, element("span", { class: "key", style: `background:${colour(key)}` }), words),
  );
  return element("ul", { class: "legend", "aria-hidden": "true" }, keys);
}

function chart(id) {
  return element("div", { class: "chart", id });
}

function figure(title, ...content) {
  return element("figure", {}, element("figcaption", {}, title), ...content);
}

// Where a job ran, where the choice leaves more than one answer.
function placeOf(row) {
  const parts = [];
  if (!choice.account && valuesOf("account").length > 1) parts.push(row.listed_account);
  if (!choice.region && valuesOf("region").length > 1) parts.push(row.region);
  return parts.join(" ");
}

function jobCell(row, badge = null, kind = "badge") {
  const about = [choice.kind ? "" : KINDS[row.kind], shortModel(row.model), placeOf(row)];
  return [
    name(row.name),
    badge ? element("span", { class: kind }, badge) : null,
    element("span", { class: "about" }, name(about.filter(Boolean).join(" · "), { class: "" })),
  ];
}

// --- coverage -----------------------------------------------------------------------------------

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
  return [element("span", { class: "name" }, row.table_name), element("span", { class: "about" }, place)];
}

function coverage() {
  const rows = chosen("coverage");
  const places = [...groups(rows, (row) => [row.table_name, row.account, row.region].join(" ")).values()];
  const scopes = places.reduce((total, [row]) => total + row.scope_count, 0);
  const troubled = places.reduce((total, [row]) => total + row.problem_count, 0);
  const shown = rows.filter((row) => row.problem);
  const notices = [];
  const age = Math.floor((Date.now() - PAGE.as_of) / 3_600_000);
  if (age >= 36) {
    const days = age >= 48 ? counted(Math.floor(age / 24), "day") : counted(age, "hour");
    notices.push(element("p", { class: "notice", role: "alert" }, element("strong", {}, `The newest listing is ${days} old. `), "What happened since is not on this page."));
  }
  if (scopes === 0) return notices;
  if (troubled === 0) {
    notices.push(element("p", { class: "sound" }, `${scopes === 1 ? "The one scope was" : `All ${count(scopes)} scopes were`} listed completely.`));
    return notices;
  }
  const listed = shown.slice(0, 12);
  const more = troubled - listed.length;
  notices.push(
    element(
      "div",
      { class: "notice" },
      element("p", {}, element("strong", {}, `${counted(troubled, "scope")} of ${count(scopes)} ${troubled === 1 ? "was" : "were"} not seen completely. `), "Figures of these places may lack jobs."),
      withClass("stacked", table(
        "Scopes that were not seen completely",
        [
          ["Scope", scopeCell],
          ["What happened", (row) => [PROBLEMS[row.problem](row), row.error ? element("span", { class: "about" }, name(row.error, { class: "" })) : null], "reasons"],
          ["Last complete", (row) => (row.last_complete_at === null ? "never" : minute(row.last_complete_at)), "instant"],
        ],
        listed,
      )),
      more > 0 ? element("p", { class: "more" }, `And ${count(more)} more.`) : null,
    ),
  );
  return notices;
}

// --- last night ---------------------------------------------------------------------------------

const NIGHTS = [...new Set((TABLES.nights ?? []).map((row) => row.night))].sort();

function tile(id, title, number, context, { isAlarming = false, isUrgent = false, isState = false } = {}) {
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
    const number = sum(chosen("nights").filter((row) => row.night === night), column);
    return { night, number, told: `Night of ${weekday(Date.parse(night))}\n${counted(number, one)}` };
  });
  const last = nights.at(-1)?.number ?? 0;
  const before = nights.slice(0, -1).map(({ number }) => number);
  const usual = before.length ? `median night: ${count(median(before))}` : "the first night on record";
  return {
    node: tile(id, title, count(last), usual, { isAlarming: isAlarming(last) }),
    drawn: () => nights.length && drawNights(document.getElementById(`${id}-chart`), `${title}: the last ${nights.length} nights`, nights),
  };
}

function atAGlance() {
  const running = [...groups(chosen("running"), (row) => [row.kind, row.account, row.region].join(" ")).values()];
  const runs = running.reduce((total, [row]) => total + row.running_count, 0);
  const overdue = running.reduce((total, [row]) => total + row.overdue_count, 0);
  const recent = chosen("days").filter((row) => Date.parse(row.day) > PAGE.as_of - 8 * DAY);
  const earlier = chosen("days").filter((row) => Date.parse(row.day) > PAGE.as_of - 36 * DAY);
  const tiles = [
    nightTile("new", "New jobs", "new job", "new_count"),
    nightTile("finished", "Finished", "finished job", "finished_count"),
    nightTile("failed", "Failed", "failed job", "failed_count", (number) => number > 0),
    nightTile("vanished", "Vanished", "vanished job", "vanished_count"),
  ];
  const models = chosen("model_counts");
  const told = [];
  if (models.length) {
    const [made, gone] = [sum(models, "new_count"), sum(models, "vanished_count")];
    told.push(
      `Custom models: ${count(made)} new, ${count(gone)} vanished, ${count(sum(models, "living_count"))} listed.`,
    );
  }
  const content = section(
    "night",
    "Last night",
    null,
    ...coverage(),
    element(
      "div",
      { class: "tiles" },
      tiles.map(({ node }) => node),
      tile("running", "Running now", count(runs), overdue ? `${count(overdue)} overdue` : "none overdue", { isUrgent: overdue > 0, isState: true }),
      tile("success", "Success rate, 7 days", percent(rateOf(recent)), `${percent(rateOf(earlier))} over 5 weeks`, { isState: true }),
    ),
    told.length ? element("p", { class: "note" }, told) : null,
  );
  return { content, drawn: () => tiles.forEach((each) => each.drawn()) };
}

// --- by day -------------------------------------------------------------------------------------

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
  if (rows.length === 0) return { content: section("days", "Jobs by day", null, nothing("No job was created in the last 90 days.")) };
  const found = groups(rows, (row) => Date.parse(row.day));
  const last = Math.floor(PAGE.as_of / DAY) * DAY;
  const first = Math.min(...found.keys(), last - 13 * DAY);
  const days = Array.from({ length: Math.round((last - first) / DAY) + 1 }, (_, day) => first + day * DAY);
  const daily = days.map((day) => {
    const jobs = found.get(day) ?? [];
    const week = days.filter((other) => other > day - 7 * DAY && other <= day).flatMap((other) => found.get(other) ?? []);
    const outcomes = Object.fromEntries(OUTCOMES.map(([outcome]) => [outcome, sum(jobs, outcome)]));
    const total = Object.values(outcomes).reduce((one, other) => one + other, 0);
    return { day, ...outcomes, total, ended: endedOf(jobs), rate: rateOf(jobs), week_rate: rateOf(week), week_ended: endedOf(week) };
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

// --- jobs that need somebody --------------------------------------------------------------------

const SHOWN = 10;

function totalOf(rows, column) {
  const places = groups(rows, (row) => [row.kind, row.account, row.region].join(" "));
  return [...places.values()].reduce((total, [row]) => total + row[column], 0);
}

function failures() {
  const rows = chosen("failures");
  const total = totalOf(rows, "failed_count");
  const title = "Failures";
  if (total === 0) return { content: section("failures", title, null, nothing("No job failed or expired in the last 30 days.")) };
  const shown = rows.slice(0, SHOWN);
  const reasons = [...groups(chosen("reasons"), (row) => row.reason ?? "").entries()]
    .map(([reason, rows]) => ({ reason, jobs: sum(rows, "job_count"), isExample: rows[0].is_example }))
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
      withClass("stacked", table(
        "Newest failures",
        [
          ["Job", (row) => jobCell(row, row.outcome === "expired" ? "expired" : null, "badge quiet")],
          ["Reason", (row) => (row.reason === null ? element("span", { class: "about" }, "AWS tells none") : name(row.reason, { class: "reason" })), "reasons"],
          ["Ended", (row) => minute(row.failed_at), "instant"],
        ],
        shown,
      )),
      table(
        "Why jobs fail",
        [
          ["Reason", ({ reason, isExample }) => (reason ? [name(reason, { class: "reason" }), isExample ? element("span", { class: "about" }, "and the like, with other numbers") : null] : "Other reasons")],
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
    element("span", { class: "bar-track" }, element("span", { class: "bar-fill", style: `width:${(share * 100).toFixed(1)}%;background:${colour(key)}` })),
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
      ? element("div", {}, element("h3", {}, "Running and overdue"), nothing("No job was running when last listed."))
      : element(
          "div",
          {},
          element("h3", {}, "Running and overdue"),
          element("p", { class: "note" }, `${counted(runs, "job")} ran when last listed, ${overdue === 0 ? "none" : count(overdue)} of them overdue: 19 in 20 jobs like it took less time.${runs > late.length ? ` The ${late.length} that are latest are listed.` : ""}`),
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
      ? element("div", {}, element("h3", {}, "Slowest"), nothing("No job of the last 30 days has ended."))
      : element(
          "div",
          {},
          element("h3", {}, "Slowest"),
          element("p", { class: "note" }, "Of the jobs of the last 30 days that have ended, against the median of the same kind and model."),
          table(
            "Slowest jobs of the last 30 days",
            [
              ["Job", (row) => jobCell(row, row.outcome === "succeeded" ? null : OUTCOMES.find(([outcome]) => outcome === row.outcome)[1].toLowerCase(), "badge quiet")],
              ["Took", (row) => bar(row.seconds / longest, duration(row.seconds), "spread-near"), "number"],
              ["Usual", (row) => times(row.usual_seconds ? row.seconds / row.usual_seconds : null), "number"],
            ],
            slow,
          ),
        ),
  );
  return { content: section("slow", "Running, overdue and slow", null, element("div", { class: "columns even" }, columns)) };
}

function isNarrow() {
  return window.matchMedia("(max-width: 600px)").matches;
}

// --- lineage ------------------------------------------------------------------------------------

function lineage() {
  const title = "Model lineage";
  const total = sum(chosen("model_counts"), "model_count");
  let models = chosen("models");
  if (choice.kind === "clean_rooms_inference") {
    return { content: section("lineage", title, null, nothing("Clean Rooms jobs neither make nor use custom models; choose another kind.")) };
  }
  const isUse = choice.kind === "batch_inference";
  if (isUse) models = models.filter((model) => model.batch_job_count > 0);
  if (models.length === 0) {
    return { content: section("lineage", title, null, nothing(isUse ? "No batch job uses a custom model." : "There is no custom model.")) };
  }
  const known = new Set(models.map((model) => model.id));
  const children = groups(models, (model) => (model.generation !== null && known.has(model.parent_id) ? model.parent_id : ""));
  const families = [...groups(models, (model) => model.root ?? "not told").entries()].sort((a, b) => b[1].length - a[1].length);
  const roots = new Set((children.get("") ?? []).map((model) => model.id));
  const trees = families.map(([root, members], place) =>
    element(
      "details",
      (place === 0 && !isNarrow()) || models.length <= 10 ? { class: "family", open: "" } : { class: "family" },
      element(
        "summary",
        {},
        name(shortModel(root)),
        element("span", { class: "about" }, familyNote(members)),
      ),
      branches("tree", members.filter((model) => roots.has(model.id)), children),
    ),
  );
  const content = section(
    "lineage",
    title,
    `What was made from what: base models, and the custom models that jobs made from them${
      isUse ? ` and batch jobs use, ${count(models.length)} in all` : total > models.length ? `; the ${count(models.length)} of ${count(total)} made or used last` : `, ${count(total)} in all`
    }.`,
    element("div", { class: "families" }, trees),
  );
  return { content };
}

function familyNote(members) {
  const depth = Math.max(...members.map((model) => model.generation ?? 1));
  const parts = [counted(members.length, "custom model")];
  if (depth > 1) parts.push(`${depth} generations`);
  const jobs = sum(members, "batch_job_count");
  if (jobs) parts.push(`used by ${counted(jobs, "batch job")}`);
  return parts.join(" · ");
}

const SIBLINGS = 12;

function branches(kind, models, children) {
  const more = models.length - SIBLINGS;
  return element(
    "ul",
    { class: kind },
    models.slice(0, more > 1 ? SIBLINGS : models.length).map((model) => branch(model, children)),
    more > 1 ? element("li", { class: "more" }, `and ${count(more)} more`) : null,
  );
}

function branch(model, children) {
  const below = children.get(model.id) ?? [];
  const about = [
    model.customization_type ? model.customization_type.toLowerCase().replace(/_/g, " ") : null,
    model.created_at === null ? null : shortDay(model.created_at),
    model.job_name === null ? null : `by job ${model.job_name}`,
    model.batch_job_count ? `used by ${counted(model.batch_job_count, "batch job")}` : null,
    placeOf(model) || null,
  ];
  const state = model.is_vanished ? "deleted" : model.is_listed ? model.status : "not listed";
  return element(
    "li",
    {},
    name(model.name, { class: model.is_vanished ? "name gone" : "name" }),
    state && state !== "Active" ? element("span", { class: "badge quiet" }, state) : null,
    element("span", { class: "about" }, name(about.filter(Boolean).join(" · "), { class: "" })),
    below.length ? branches("", below, children) : null,
  );
}
