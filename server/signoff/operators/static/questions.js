// While a question to the agent is open, look every few seconds whether the answer has come, and show it where it belongs.

const EVERY_MS = 3000;

// A page on which somebody is writing is never loaded again under their hands.
function isBeingWritten() {
  return [...document.querySelectorAll("textarea, input:not([type=hidden]), select")].some((field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") {
      const first = Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
      return field.selectedIndex !== first;
    }
    return field.value !== field.defaultValue;
  });
}

function show(place, pieces) {
  const made = place.querySelector("template[data-answer]").content.cloneNode(true);
  made.querySelector("[data-words]").append(...pieces.map(([text, mark]) => {
    const span = document.createElement("span");
    if (mark) span.className = `mark mark--${mark}`;
    span.textContent = text;
    return span;
  }));
  for (const one of place.querySelectorAll("[data-waiting]")) one.hidden = true;
  const arrived = place.querySelector("[data-arrived]");
  arrived.append(made);
  arrived.querySelector("[data-again]").addEventListener("click", (event) => {
    event.preventDefault();
    load();
  });
}

// An address that differs in its fragment only would not be loaded again.
function load() {
  history.replaceState(null, "", "#questions");
  location.reload();
}

async function look(place) {
  if (document.hidden) return false;
  const response = await fetch(place.dataset.from, { headers: { Accept: "application/json" } });
  if (!response.ok) return response.status < 500; // signed out meanwhile: no use in asking on
  const found = await response.json();
  if (found.number === Number(place.dataset.waitFor) && found.answer === null && found.is_open) return false;
  if (!isBeingWritten() || found.answer === null) {
    if (!isBeingWritten()) load();
    return true;
  }
  show(place, found.answer);
  return true;
}

const place = document.querySelector("[data-wait-for]");
if (place) {
  const again = () => setTimeout(async () => {
    let done = false;
    try {
      done = await look(place);
    } catch {
      done = false; // the network, or the server, is away for a moment
    }
    if (!done) again();
  }, EVERY_MS);
  again();
}
