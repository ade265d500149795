// Parts of a form that count only under a choice: hidden, and not sent, where they do not count.

function chosen(form, name) {
  const fields = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]:not([type=hidden])`)];
  const field = fields.find((one) => one.type !== "checkbox" || one.checked);
  return field && !field.disabled ? field.value.trim() : "";
}

function holds(form, name, values, any, blank) {
  const value = chosen(form, name);
  if (any) return value !== "";
  return value === "" ? blank : values.split(" ").includes(value);
}

function settle(form) {
  for (const part of form.querySelectorAll("[data-when]")) {
    const { when, is, any, blank } = part.dataset;
    const counts = holds(form, when, is, any !== "", blank !== "");
    part.hidden = !counts;
    for (const field of part.querySelectorAll("input, textarea, select")) field.disabled = !counts;
    for (const words of part.querySelectorAll(":scope > [data-when-words]")) words.hidden = true;
  }
  for (const field of form.querySelectorAll("[data-needed-when]")) {
    const { neededWhen, neededIs } = field.dataset;
    field.required = holds(form, neededWhen, neededIs, neededIs === "", false);
  }
}

for (const form of document.querySelectorAll("form[data-checked]")) {
  form.addEventListener("input", () => settle(form));
  settle(form);
}
