// Sorts tables of the class "sortable" by the column whose heading is pressed, by mouse or by keyboard. A number is read
// from <data value>, so that what is shown may be rounded. Rows without a value stay last, whatever the direction.
"use strict";
for (const hint of document.querySelectorAll(".sorting")) hint.hidden = false;
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const body = table.tBodies[0];
  const text = (row, column) => {
    const cell = row.cells[column];
    if (!cell || row.classList.contains("without")) return null;
    const number = cell.querySelector("data");
    if (number) return Number(number.value);
    return cell.querySelector(".missing") ? null : cell.textContent.trim().toLowerCase();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const rows = [...body.rows];
      const numbers = rows.some((row) => typeof text(row, column) === "number");
      const before = heading.getAttribute("aria-sort");
      const down = before === "none" ? numbers : before === "ascending"; // numbers begin with the greatest
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort((first, second) => {
        const a = text(first, column);
        const b = text(second, column);
        if (a === null || b === null) return (a === null) - (b === null);
        return down ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
    });
  });
}
