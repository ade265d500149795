// The case page: what a modification changes, while it is typed; and the sections that the bar's buttons open.
import "./page.js";
import "./questions.js";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u00a0\u2000-\u200a\u202f\u205f\u3000\u2800\u3164\u115f\u1160\uffa0\ufe00-\ufe0f]/gu;

function visible(text) {
  return text.replace(HIDDEN, (c) =>
    c === "\n" || c === "\t" ? c : `⟦U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟧`);
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function isGroup(value) {
  return typeof value === "object" && value !== null;
}

// A key that reads like a path of its own stands in quotes, as on the preview page.
function member(path, key) {
  if (key === "" || /[.[\]" ]/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path ? `${path}.${key}` : key;
}

function changes(before, after, path = "") {
  if (isGroup(before) && isGroup(after) && Array.isArray(before) === Array.isArray(after)) {
    const list = Array.isArray(before);
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => {
      const at = list ? `${path}[${key}]` : member(path, key);
      if (!Object.hasOwn(after, key)) return [{ at, old: before[key] }];
      if (!Object.hasOwn(before, key)) return [{ at, new: after[key] }];
      return changes(before[key], after[key], at);
    });
  }
  return Object.is(before, after) || before === after ? [] : [{ at: path, old: before, new: after }];
}

const form = document.getElementById("modify-form");
if (form) {
  const list = document.getElementById("live-diff");
  const none = document.getElementById("live-none");
  const broken = document.getElementById("live-broken");
  const send = document.getElementById("modify-send");
  const raw = form.elements.namedItem("raw");
  const fields = [...form.querySelectorAll("[data-key]")];
  const plain = (text) => text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");

  const current = () => {
    if (raw && plain(raw.value) !== plain(raw.dataset.old)) {
      return changes(JSON.parse(raw.dataset.old), JSON.parse(raw.value));
    }
    return fields.filter((field) => plain(field.value) !== plain(field.dataset.old)).flatMap((field) => {
      const text = field.dataset.kind === "line" || field.dataset.kind === "text";
      if (text) return [{ at: member("", field.dataset.key), old: field.dataset.old, new: field.value }];
      return changes(JSON.parse(field.dataset.old), JSON.parse(field.value), member("", field.dataset.key));
    });
  };

  const line = (kind, word, value) => {
    const row = document.createElement("div");
    row.className = `diff__${kind}`;
    const name = document.createElement("span");
    name.className = "diff__word";
    name.textContent = word;
    const text = document.createElement("span");
    text.textContent = visible(written(value));
    row.append(name, text);
    return row;
  };

  const show = () => {
    let found = [];
    broken.hidden = true;
    try {
      found = current();
    } catch {
      broken.hidden = false;
    }
    list.replaceChildren(...found.map((change) => {
      const item = document.createElement("li");
      const path = document.createElement("div");
      path.className = "diff__path";
      path.textContent = visible(change.at);
      item.append(path);
      if ("old" in change) item.append(line("old", list.dataset.old, change.old));
      if ("new" in change) item.append(line("new", list.dataset.new, change.new));
      return item;
    }));
    none.hidden = found.length > 0 || !broken.hidden;
    send.hidden = found.length === 0;
  };
  form.addEventListener("input", show);
  document.getElementById("live").hidden = false;
  show();
}

function reveal() {
  const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  const details = target?.closest("details");
  if (!details) return;
  details.open = true;
  details.scrollIntoView({ block: "start" });
  details.querySelector("input:not([type=hidden]), textarea, select")?.focus({ preventScroll: true });
}
addEventListener("hashchange", reveal);
reveal();
// A second tap on the same button changes no fragment.
for (const link of document.querySelectorAll(".bar a[href^='#'], .decide a[href^='#']")) {
  link.addEventListener("click", () => setTimeout(reveal));
}
