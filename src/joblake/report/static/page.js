// The page as a whole: its head, the filters, and every section drawn anew for each choice.

const PARTS = [atAGlance, byDay, failures, runningAndSlow, durations, stages, lineage];
const ALL = { account: "accounts", region: "regions", kind: "kinds of job" };

const at = (id) => document.getElementById(id);

function head() {
  if (PAGE.as_of === null) {
    at("title").textContent = "This lake is empty";
    at("subtitle").textContent = "No listing has been written to it yet.";
    const [first, second] = ["export", "report"].map((name) => element("code", `joblake ${name}`));
    const told = [
      "Run ",
      first,
      " once, then ",
      second,
      " again. The page fills with the first night.",
    ];
    at("main").append(section("empty", "Nothing to report yet", null, element("p", told)));
    return;
  }
  const since = PAGE.first_created_at === null ? "" : ` since ${dayOfYear(PAGE.first_created_at)}`;
  const accounts = VALUES.account.length + Math.max(PAGE.folded_account_count - 1, 0);
  const where = `in ${counted(accounts, "account")} and ${counted(VALUES.region.length, "region")}`;
  at("title").textContent = longDay(NIGHTS.length ? Date.parse(NIGHTS.at(-1)) : PAGE.as_of);
  at("subtitle").textContent =
    `${counted(PAGE.job_count, "job")}${since} ${where} · last listed ${minute(PAGE.as_of)} UTC`;
}

// --- filters ------------------------------------------------------------------------------------

function optionWords(dimension, value) {
  if (dimension === "kind") return words(value);
  return value === OTHER_ACCOUNTS ? `${count(PAGE.folded_account_count)} smaller accounts` : value;
}

function fillFilters() {
  for (const [dimension, many] of Object.entries(ALL)) {
    const values = VALUES[dimension];
    const all = values.length > 1 ? `All ${values.length} ${many}` : `All ${many}`;
    const select = at(`filter-${dimension}`);
    select.append(
      element("option", { value: "" }, all),
      ...values.map((value) => element("option", { value }, optionWords(dimension, value))),
    );
    select.addEventListener("change", () => choose({ ...choice, [dimension]: select.value }));
  }
  at("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    choose({});
  });
  window.addEventListener("hashchange", takeChoice);
}

// The choice stands in the address, so that it survives a reload and can be sent to a colleague.
function takeChoice() {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const dimension of Object.keys(choice)) {
    const value = told.get(dimension) ?? "";
    choice[dimension] = VALUES[dimension].includes(value) ? value : "";
    at(`filter-${dimension}`).value = choice[dimension];
  }
  render();
}

function choose(next) {
  const told = new URLSearchParams(Object.entries(next).filter(([, value]) => value));
  const address = told.size ? `#${told}` : location.pathname + location.search;
  history.replaceState(null, "", address);
  takeChoice();
}

function render() {
  const named = Object.entries(choice).filter(([, value]) => value);
  const told = named.map(([dimension, value]) => optionWords(dimension, value)).join(", ");
  at("filter-status").textContent = `Showing ${told || "everything"}`;
  at("filter-reset").disabled = named.length === 0;
  at("tooltip").hidden = true;
  at("main").replaceChildren(...PARTS.map((part) => part()));
}

function footer() {
  const folded = PAGE.folded_account_count;
  const notes = [
    "Success rate: the succeeded among the succeeded, partly succeeded, failed and expired.",
    "Counts are whole; lists are cut to their first ten rows. Percentiles are read from histograms with steps of 9%, wider ones where there are very many jobs; few jobs are told exactly.",
    folded ? `The ${counted(folded, "smallest account")} stand together.` : "",
    `Made ${dayOfYear(PAGE.made_at)} at ${clock(PAGE.made_at)} UTC by joblake ${PAGE.version}. All times are UTC.`,
  ];
  at("footer").append(...notes.filter(Boolean).map((note) => element("p", note)));
}

head();
footer();
if (PAGE.as_of !== null) {
  at("filters").hidden = false;
  fillFilters();
  takeChoice();
  at("main").addEventListener("mousemove", showTooltip);
  at("main").addEventListener("mouseleave", showTooltip);
}
