// Lists in a form: an item more or less without a new page. Without script the same buttons ask the server for one.

const FIRST_NEW = 100; // below are the numbers of items that were there at first, as in form_edit.py
const MOST = 50;

function numbered(node, from, to) {
  for (const element of node.querySelectorAll("*")) {
    for (const name of ["name", "id", "for", "value", "formaction", "aria-describedby", "data-when", "data-needed-when", "data-rows"]) {
      const text = element.getAttribute(name);
      if (text?.includes(from)) element.setAttribute(name, text.replaceAll(from, to));
    }
    if (element.localName === "template") numbered(element.content, from, to);
  }
}

function place(list) {
  [...list.children].forEach((item, at) => {
    const shown = item.querySelector("[data-place]");
    if (shown) shown.textContent = at + 1;
  });
}

function changed(list) {
  place(list);
  list.dispatchEvent(new Event("input", { bubbles: true }));
}

function add(rows) {
  const name = rows.dataset.rows;
  const list = rows.querySelector(":scope > .items");
  if (list.children.length >= MOST) return;
  const marks = [...list.children].map((item) => Number(item.querySelector(`:scope > input[name='${name}_items']`).value));
  const number = Math.max(FIRST_NEW - 1, ...marks) + 1;
  const made = rows.querySelector(":scope > template").content.cloneNode(true);
  numbered(made, `${name}_ix`, `${name}_i${number}`);
  made.querySelector(`input[name='${name}_items']`).value = number;
  list.append(made);
  changed(list);
  list.lastElementChild.querySelector("input:not([type=hidden]), textarea, select")?.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-add], button[data-remove]");
  if (!button) return;
  event.preventDefault();
  const rows = button.closest("[data-rows]");
  if ("add" in button.dataset) {
    add(rows);
  } else {
    const item = button.closest("[data-item]");
    const list = item.parentElement;
    item.remove();
    changed(list);
    rows.querySelector(":scope > [data-add]").focus();
  }
});
