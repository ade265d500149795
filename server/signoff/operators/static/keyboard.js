// Deciding by keyboard. A letter opens a choice or its help and never decides: that takes the button, which then has the
// focus, and so a second key of another kind.

const help = document.getElementById("keys");

function isWriting(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") !== null && !target.closest?.("[type=checkbox], [type=radio]");
}

function open(id) {
  const part = document.getElementById(id);
  if (!part) return false;
  part.open = true;
  part.scrollIntoView({ block: "start" });
  (part.querySelector("textarea:not(:disabled), input:not([type=hidden]):not(:disabled), select:not(:disabled)") ?? part.querySelector("summary")).focus({ preventScroll: true });
  return true;
}

function close() {
  const part = document.querySelector("#modify[open], #reject[open], #ask[open]");
  if (!part) return false;
  part.open = false;
  part.querySelector("summary").focus();
  return true;
}

// Puts the focus on the button, shows what it does, and leaves pressing it to the person.
function arm() {
  const form = document.getElementById("approve-form");
  if (!form) return false;
  for (const one of document.querySelectorAll("#modify[open], #reject[open]")) one.open = false;
  const field = form.querySelector("textarea:not(:disabled), input:not([type=hidden]):not(:disabled), select:not(:disabled)");
  const target = field && !field.value ? field : form.querySelector(".actions button");
  target.scrollIntoView({ block: "center" });
  target.focus({ preventScroll: true });
  return true;
}

function undo() {
  const button = document.querySelector("#undo button");
  button?.focus();
  return Boolean(button);
}

const KEYS = {
  a: arm,
  m: () => open("modify"),
  r: () => open("reject"),
  q: () => open("ask"),
  u: undo,
  i: () => (location.assign("/"), true),
  "?": () => (help?.open ? help.close() : help?.showModal(), Boolean(help)),
};

if (help) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.key === "Escape" && isWriting(event.target)) {
      event.target.blur();
      return;
    }
    if (isWriting(event.target)) return;
    if (event.key === "Escape" && !help.open) {
      close();
      return;
    }
    if (help.open && event.key !== "?") return;
    if (KEYS[event.key]?.()) event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  }
}
