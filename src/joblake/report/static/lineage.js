// The section about models: what was made from what.

function lineage() {
  const title = "Model lineage";
  const total = sum(chosen("model_counts"), "model_count");
  let models = chosen("models");
  if (choice.kind === "clean_rooms_inference") {
    return {
      content: section(
        "lineage",
        title,
        null,
        nothing("Clean Rooms jobs neither make nor use custom models; choose another kind."),
      ),
    };
  }
  const isUse = choice.kind === "batch_inference";
  if (isUse) models = models.filter((model) => model.batch_job_count > 0);
  if (models.length === 0) {
    return {
      content: section(
        "lineage",
        title,
        null,
        nothing(isUse ? "No batch job uses a custom model." : "There is no custom model."),
      ),
    };
  }
  const known = new Set(models.map((model) => model.id));
  const children = groups(models, (model) =>
    model.generation !== null && known.has(model.parent_id) ? model.parent_id : "",
  );
  const families = [...groups(models, (model) => model.root ?? "not told").entries()].sort(
    (a, b) => b[1].length - a[1].length,
  );
  const roots = new Set((children.get("") ?? []).map((model) => model.id));
  const trees = families.map(([root, members], place) =>
    element(
      "details",
      (place === 0 && !isNarrow()) || models.length <= 10
        ? { class: "family", open: "" }
        : { class: "family" },
      element(
        "summary",
        {},
        name(shortModel(root)),
        element("span", { class: "about" }, familyNote(members)),
      ),
      branches(
        "tree",
        members.filter((model) => roots.has(model.id)),
        children,
      ),
    ),
  );
  const content = section(
    "lineage",
    title,
    `What was made from what: base models, and the custom models that jobs made from them${
      isUse
        ? ` and batch jobs use, ${count(models.length)} in all`
        : total > models.length
          ? `; the ${count(models.length)} of ${count(total)} made or used last`
          : `, ${count(total)} in all`
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
