"use strict";
// Tables that sort, filter and copy as CSV; without this script they only stand there.
const plain = (cell) => cell.textContent.trim().replace(/\u00a0/g, " ").replace(/\u2212/g, "-");
// A number, or the first of "1 to 2" and "1 ± 2", and perhaps a unit; nothing else: a month or a size is no number.
const figure = "[+-]?(?:\\d[\\d,]*(?:\\.\\d+)?|\\.\\d+)(?:e[+-]?\\d+)?";
const numeric = new RegExp(`^(?:[<>] ?)?(${figure})(?: (?:to|±|…) ${figure})?(?: ?%| [\\p{L}%/ ]+)?$`, "iu");
const number = (text) => {
  const found = numeric.exec(text);
  return found ? parseFloat(found[1].replace(/,/g, "")) : NaN;
};
const isMissing = (text) => text === "" || text === "\u2013";
const csv = (row) => [...row.cells].map((cell) => {
  const text = plain(cell);
  const bare = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replace(/,/g, "") : text;
  const isFormula = /^[=+@-]/.test(bare) && !/^[+-]?[\d.,]+(e[+-]?\d+)?( ?%)?$/i.test(bare);
  const safe = isFormula ? `'${bare}` : bare;
  return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}).join(",");
const make = (name, facts) => Object.assign(document.createElement(name), facts);
const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], rows = [...body.rows], caption = table.caption.textContent.trim();
  const tools = make("div", { className: "tools" });
  if (rows.length > 7) {
    const filter = make("input", { type: "search", placeholder: "filter" });
    filter.setAttribute("aria-label", `filter rows of ${caption}`);
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    tools.append(filter);
  }
  const button = make("button", { type: "button", textContent: "Copy as CSV" });
  button.addEventListener("click", async () => {
    const shown = [...table.rows].filter((row) => !row.hidden);
    await copy(shown.map(csv).join("\n") + "\n");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy as CSV"; }, 1500);
  });
  tools.append(button);
  table.parentElement.before(tools);
  if (rows.length < 2) continue;
  for (const head of table.tHead.rows[0].cells) {
    const sort = make("button", { type: "button", title: "sort" });
    sort.append(...head.childNodes);
    head.append(sort);
    sort.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const sign = way === "ascending" ? 1 : -1;
      const key = new Map(rows.map((row) => [row, plain(row.cells[head.cellIndex])]));
      const known = rows.filter((row) => !isMissing(key.get(row)));
      const missing = rows.filter((row) => isMissing(key.get(row)));
      const isNumeric = known.every((row) => !Number.isNaN(number(key.get(row))));
      const order = (a, b) => isNumeric
        ? number(key.get(a)) - number(key.get(b))
        : key.get(a).localeCompare(key.get(b), undefined, { numeric: true });
      body.append(...known.sort((a, b) => sign * order(a, b)), ...missing);
    });
  }
}
