// What a field holds is looked at when it is left, and before the form goes: said beside it, in words. The server looks again.

const NUMBER = /^-?[0-9]{1,16}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?$/;
const WHOLE = /^-?[0-9]{1,16}$/;

function numberProblem(text, kind, limits) {
  if (!(kind === "integer" ? WHOLE : NUMBER).test(text)) {
    return kind === "integer" ? "Must be a whole number, such as 3." : "Must be a number, such as 99.5.";
  }
  const value = Number(text);
  const { min, max, above, below } = limits;
  if (min !== undefined && value < Number(min)) return `Must be at least ${min}.`;
  if (max !== undefined && value > Number(max)) return `Must be at most ${max}.`;
  if (above !== undefined && value <= Number(above)) return `Must be above ${above}.`;
  if (below !== undefined && value >= Number(below)) return `Must be below ${below}.`;
  return "";
}

function jsonProblem(text) {
  try {
    JSON.parse(text);
    return "";
  } catch {
    return "This is not JSON. Texts stand in double quotes, and there is no comma after the last value.";
  }
}

export function problem(field) {
  if (field.validity.badInput) return "Must be a whole day, and a time where one is asked for.";
  const text = field.value.trim();
  const { kind, items, minChars, maxChars } = field.dataset;
  if (!text) return field.required ? "Is needed." : "";
  const chars = [...field.value].length;
  if (maxChars !== undefined && chars > Number(maxChars)) return `Must have at most ${maxChars} characters; it has ${chars}.`;
  if (minChars !== undefined && chars < Number(minChars)) return `Must have at least ${minChars} characters; it has ${chars}.`;
  if (kind === "number" || kind === "integer") return numberProblem(text, kind, field.dataset);
  if (kind === "json") return jsonProblem(text);
  if (kind === "list" && items !== "text") {
    return text.split("\n").filter((line) => line.trim()).map((line) => numberProblem(line.trim(), items, {})).find(Boolean) ?? "";
  }
  return "";
}

function say(field) {
  const found = problem(field);
  const place = field.id ? document.getElementById(`${field.id}-wrong`) : null;
  if (!place) return found;
  place.textContent = found;
  place.hidden = !found;
  if (found) {
    field.setAttribute("aria-invalid", "true");
  } else {
    field.removeAttribute("aria-invalid");
  }
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== place.id);
  const described = found ? [...others, place.id] : others;
  if (described.length) field.setAttribute("aria-describedby", described.join(" "));
  else field.removeAttribute("aria-describedby");
  return found;
}

const FIELDS = "input[data-kind], textarea[data-kind], select[data-kind]";
for (const form of document.querySelectorAll("form[data-checked]")) {
  form.noValidate = true; // the browser's own bubbles name one field and vanish
  form.addEventListener("focusout", (event) => event.target.matches(FIELDS) && say(event.target));
  form.addEventListener("input", (event) => event.target.getAttribute?.("aria-invalid") && event.target.matches(FIELDS) && say(event.target));
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value === "check") {
      // Enter in a field: look at what stands there, and send nothing.
      event.preventDefault();
      event.stopImmediatePropagation();
      for (const field of form.querySelectorAll(FIELDS)) if (!field.disabled) say(field);
      return;
    }
    if (event.submitter?.formNoValidate) return;
    const wrong = [...form.querySelectorAll(FIELDS)].filter((field) => !field.disabled && say(field));
    const empty = [...form.querySelectorAll("textarea[name=note][required]")].filter((field) => !field.value.trim());
    const [first] = [...wrong, ...empty];
    if (!first) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    first.focus();
    if (empty.includes(first)) first.setAttribute("aria-invalid", "true");
  }, true);
}
