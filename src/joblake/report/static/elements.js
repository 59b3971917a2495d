// What the page is made of: elements, tables, notes. Whatever comes from the lake becomes the text of
// a node, never markup.

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
  const head = columns.map(([title, , kind]) =>
    element("th", { scope: "col", role: "columnheader", class: kind }, title),
  );
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
    element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      table(caption, columns, rows),
    ),
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
  if (!choice.account && VALUES.account.length > 1) parts.push(row.listed_account);
  if (!choice.region && VALUES.region.length > 1) parts.push(row.region);
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

function isNarrow() {
  return window.matchMedia("(max-width: 600px)").matches;
}
