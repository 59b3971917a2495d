// The section about models: the tree of models and the jobs that made them.

const SIBLINGS = 12;
const MAKERS = new Set((TABLES.models ?? []).map(({ made_by }) => made_by));

function lineage() {
  const title = "Model lineage";
  const models = chosenModels();
  if (models.length === 0) {
    const none = choice.kind
      ? "No job of this kind makes or uses a custom model."
      : "There is no custom model.";
    return section("lineage", title, null, nothing(none));
  }
  const all = sum(chosen("model_counts"), "model_count");
  const shown = choice.kind
    ? `, those that jobs of this kind made or used, ${count(models.length)} in all`
    : all > models.length
      ? `; the ${count(models.length)} of ${count(all)} made or used last`
      : `, ${count(all)} in all`;
  const known = new Set(models.map((model) => model.id));
  const isBelow = (model) => model.generation !== null && known.has(model.parent_id);
  const children = groups(models, (model) => (isBelow(model) ? model.parent_id : ""));
  const families = [...groups(models, (model) => model.root ?? "not told")].sort(
    (a, b) => b[1].length - a[1].length,
  );
  const trees = families.map(([root, members], place) =>
    element(
      "details.family",
      ((place === 0 && !isNarrow()) || models.length <= 10) && { open: "" },
      element("summary", name(shortModel(root)), about(...familyNotes(members))),
      branches(
        "ul.tree",
        members.filter((model) => !isBelow(model)),
        children,
      ),
    ),
  );
  return section(
    "lineage",
    title,
    `What was made from what: base models, and the custom models that jobs made from them${shown}.`,
    element("div.families", trees),
  );
}

// The models that jobs of the chosen kind made or used.
function chosenModels() {
  return chosen("models").filter(
    ({ jobs }) => !choice.kind || jobs.some(([kind]) => kind === choice.kind),
  );
}

function familyNotes(members) {
  const depth = Math.max(...members.map((model) => model.generation ?? 1));
  return [
    counted(members.length, "custom model"),
    depth > 1 && `${depth} generations`,
    useNote(members),
  ];
}

// Jobs that make models of a model stand in the tree themselves, as the models below it.
function useNote(models) {
  const uses = models.flatMap(({ jobs }) => jobs).filter(([kind]) => !MAKERS.has(kind));
  const kinds = [...groups(uses, ([kind]) => kind)].map(([kind, members]) =>
    counted(total(members.map(([, jobs]) => jobs)), `${lower(kind)} job`),
  );
  return kinds.length > 0 && `used by ${kinds.join(" and ")}`;
}

function branches(tag, models, children) {
  const more = models.length - SIBLINGS;
  return element(
    tag,
    models.slice(0, more > 1 ? SIBLINGS : models.length).map((model) => branch(model, children)),
    more > 1 && element("li.more", `and ${count(more)} more`),
  );
}

function branch(model, children) {
  const below = children.get(model.id);
  const state = model.is_vanished ? "deleted" : model.is_listed ? model.status : "not listed";
  return element(
    "li",
    element(model.is_vanished ? "bdi.name.gone" : "bdi.name", model.name),
    state && state !== "Active" && element("span.badge.quiet", state),
    about(
      model.customization_type && lower(model.customization_type),
      model.created_at && shortDay(model.created_at),
      model.job_name && `by job ${model.job_name}`,
      useNote([model]),
      placeOf(model),
    ),
    below && branches("ul", below, children),
  );
}
