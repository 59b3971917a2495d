// The page as a whole: its head, the filters, and every section drawn anew for each choice.

const PARTS = [atAGlance, byDay, failures, runningAndSlow, durations, stages, lineage];

function head() {
  const title = document.getElementById("title");
  const subtitle = document.getElementById("subtitle");
  if (PAGE.as_of === null) {
    title.textContent = "This lake is empty";
    subtitle.textContent = "No listing has been written to it yet.";
    document
      .getElementById("main")
      .append(
        section(
          "empty",
          "Nothing to report yet",
          null,
          element(
            "p",
            {},
            "Run ",
            element("code", {}, "joblake export"),
            " once, then ",
            element("code", {}, "joblake report"),
            " again. The page fills with the first night.",
          ),
        ),
      );
    return;
  }
  const since =
    PAGE.first_created_at === null
      ? ""
      : ` since ${utc({ day: "numeric", month: "long", year: "numeric" })(PAGE.first_created_at)}`;
  title.textContent = longDay(Date.parse(NIGHTS.at(-1) ?? new Date(PAGE.as_of).toISOString()));
  const [accounts, regions] = [VALUES.account, VALUES.region].map((values) => values.length);
  const where = `in ${counted(accounts + Math.max(PAGE.folded_account_count - 1, 0), "account")} and ${counted(regions, "region")}`;
  subtitle.textContent = `${counted(PAGE.job_count, "job")}${since} ${where} · last listed ${minute(PAGE.as_of)} UTC`;
}

// --- filters ------------------------------------------------------------------------------------

const ALL = {
  account: ["account", "accounts"],
  region: ["region", "regions"],
  kind: ["kind of job", "kinds of job"],
};

function wordsOf(name, value) {
  if (name === "kind") return KINDS[value] ?? value;
  return value === OTHER_ACCOUNTS ? `${count(PAGE.folded_account_count)} smaller accounts` : value;
}

function fillFilters() {
  for (const dimension of Object.keys(choice)) {
    const values = VALUES[dimension];
    const select = document.getElementById(`filter-${dimension}`);
    const all =
      values.length > 1 ? `All ${values.length} ${ALL[dimension][1]}` : `All ${ALL[dimension][1]}`;
    select.append(element("option", { value: "" }, all));
    for (const value of values)
      select.append(element("option", { value }, wordsOf(dimension, value)));
    select.addEventListener("change", () => choose({ ...choice, [dimension]: select.value }));
  }
  document.getElementById("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    choose({ account: "", region: "", kind: "" });
  });
  window.addEventListener("hashchange", takeChoice);
}

// The choice stands in the address, so that it survives a reload and can be sent to a colleague.
function takeChoice() {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const dimension of Object.keys(choice)) {
    const value = told.get(dimension) ?? "";
    choice[dimension] = VALUES[dimension].includes(value) ? value : "";
    document.getElementById(`filter-${dimension}`).value = choice[dimension];
  }
  render();
}

function choose(next) {
  const told = new URLSearchParams(Object.entries(next).filter(([, value]) => value));
  const address = told.size ? `#${told}` : location.pathname + location.search;
  history.replaceState(null, "", address);
  takeChoice();
}

function status() {
  const named = Object.keys(choice).filter((dimension) => choice[dimension]);
  const words = named.length
    ? `Showing ${named.map((dimension) => wordsOf(dimension, choice[dimension])).join(", ")}`
    : "Showing everything";
  document.getElementById("filter-status").textContent = words;
  document.getElementById("filter-reset").disabled = named.length === 0;
}

function render() {
  forgetCharts();
  document.getElementById("tooltip").hidden = true;
  const parts = PARTS.map((part) => part());
  document.getElementById("main").replaceChildren(...parts.map(({ content }) => content));
  status();
  parts.forEach((part) => part.drawn?.());
}

function footer() {
  const folded = PAGE.folded_account_count;
  const notes = [
    "Success rate: the succeeded among the succeeded, partly succeeded, failed and expired.",
    "Counts are whole; lists are cut to their first ten rows. Percentiles are read from histograms with steps of 9%, wider ones where there are very many jobs; few jobs are told exactly.",
    folded ? `The ${counted(folded, "smallest account")} stand together.` : null,
    `Made ${utc({ day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" })(PAGE.made_at)} UTC by joblake ${PAGE.version}. All times are UTC.`,
  ];
  document
    .getElementById("footer")
    .append(...notes.filter(Boolean).map((note) => element("p", {}, note)));
}

head();
footer();
if (PAGE.as_of !== null) {
  document.getElementById("filters").hidden = false;
  fillFilters();
  takeChoice();
  // Paper has another width than the window.
  const print = window.matchMedia("print");
  const refit = () => [...drawn.keys()].forEach(fit);
  print.addEventListener("change", refit);
  window.addEventListener("beforeprint", refit);
  window.addEventListener("afterprint", refit);
}
