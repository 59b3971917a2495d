// The parts of the page: elements, tables, notes. Texts of the lake become the text of a node, never
// markup.

// A tag may name classes, as in "p.note"; objects among the parts are attributes, the rest children.
function element(tag, ...parts) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElement(name), classes, parts);
}

function svg(tag, ...parts) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), classes, parts);
}

function filled(node, classes, parts) {
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const part of parts.flat(Infinity)) {
    if (typeof part === "string" || part instanceof Node) node.append(part);
    else if (part) for (const [key, value] of Object.entries(part)) node.setAttribute(key, value);
  }
  return node;
}

// Other people choose the names: one in a right-to-left script must not turn the text around it.
function name(text) {
  return element("bdi.name", text);
}

function about(...parts) {
  return element("span.about", element("bdi", parts.filter(Boolean).join(" · ")));
}

function section(id, title, note, ...content) {
  return element(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    note && element("p.note", note),
    content,
  );
}

function nothing(told) {
  return element("p.nothing", told);
}

// Columns are [title, cell of a row, class]; the first names the row. The roles are those of the
// elements, said again because narrow windows lay the cells out as something else than a table.
function table(caption, columns, rows) {
  const kind = (column) => column[2] && { class: column[2] };
  const head = columns.map((column) =>
    element("th", { scope: "col", role: "columnheader" }, kind(column), column[0]),
  );
  const body = rows.map((row) => {
    const [first, ...others] = columns.map((column) => [kind(column), column[1](row)]);
    return element(
      "tr",
      { role: "row" },
      element("th", { scope: "row", role: "rowheader" }, first),
      others.map((cell) => element("td", { role: "cell" }, cell)),
    );
  });
  return element(
    "table",
    { role: "table" },
    element("caption", caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element("tbody", { role: "rowgroup" }, body),
  );
}

// A table whose rows become small paragraphs where the window is narrow.
function stacked(...parts) {
  return element("div.stacked", table(...parts));
}

function numbers(caption, columns, rows) {
  const scroll = { tabindex: 0, role: "region", "aria-label": caption };
  return element(
    "details.numbers",
    element("summary", "The numbers"),
    element("div.scroll", scroll, table(caption, columns, rows)),
  );
}

function key(fill) {
  return element("span.key", { style: `background:${fill}`, "aria-hidden": "true" });
}

// Pairs are [colour, words].
function legend(pairs) {
  const keys = pairs.map(([fill, told]) => element("li", key(fill), told));
  return element("ul.legend", { "aria-hidden": "true" }, keys);
}

function figure(title, ...content) {
  return element("figure", element("figcaption", title), content);
}

function shareBar(share, told, fill) {
  const style = `width:${(share * 100).toFixed(1)}%;background:${fill}`;
  return element(
    "span.bar",
    element("span.bar-track", element("span.bar-fill", { style })),
    element("span", told),
  );
}

// Where a job ran, where the choice leaves more than one answer.
function placeOf(row) {
  const parts = [];
  if (!choice.account && VALUES.account.length > 1) parts.push(row.listed_account);
  if (!choice.region && VALUES.region.length > 1) parts.push(row.region);
  return parts.join(" ");
}

function jobCell(row, badge, kind = "badge.quiet") {
  return [
    name(row.name),
    badge && element(`span.${kind}`, badge),
    about(!choice.kind && words(row.kind), shortModel(row.model), placeOf(row)),
  ];
}

function isNarrow() {
  return window.matchMedia("(max-width: 600px)").matches;
}
