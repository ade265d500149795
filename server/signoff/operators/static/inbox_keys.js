// The inbox by keyboard. Nothing is decided here: every key opens a case, or moves between them.

const OFF = "signoff.keys";
const GO = { a: "#approve-start", m: "#modify-start", r: "#reject-start" };
const dialog = document.getElementById("keys");
const toggle = document.getElementById("keys-on");
const opener = document.getElementById("keys-open");

const lines = () => [...document.querySelectorAll("[data-case]")];

function move(step) {
  const all = lines();
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function open(part) {
  const line = document.activeElement?.closest("[data-case]") ?? lines()[0];
  if (line) location.href = line.href + ("several" in line.dataset || "ended" in line.dataset ? "" : part);
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  o: () => open(""),
  a: () => open(GO.a),
  m: () => open(GO.m),
  r: () => open(GO.r),
  "/": () => document.getElementById("search")?.focus(),
  "?": () => dialog?.showModal(),
};

const isOff = () => {
  try {
    return localStorage.getItem(OFF) === "off";
  } catch {
    return false;
  }
};

addEventListener("keydown", (event) => {
  const field = event.target instanceof Element && event.target.closest("input:not([type=checkbox]), textarea, select");
  if (field) {
    if (event.key === "Escape" && event.target.id === "search") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog?.open || isOff()) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

if (dialog && toggle && opener) {
  opener.hidden = false;
  toggle.checked = !isOff();
  opener.addEventListener("click", () => dialog.showModal());
  toggle.addEventListener("change", () => {
    try {
      localStorage.setItem(OFF, toggle.checked ? "on" : "off");
    } catch {
      toggle.checked = true; // this browser keeps nothing
    }
  });
}
