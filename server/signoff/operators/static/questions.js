// While a question to the agent is open, look whether the answer has come, and show it where it belongs: whenever the case
// changes, as its stream tells; every few seconds where there is no stream.

const EVERY_MS = 3000;
const NO_STREAM_AFTER_MS = 6000;

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
  place.querySelector("[data-arrived]").append(made);
  document.dispatchEvent(new CustomEvent("signoff:answered"));
}

// An address that differs in its fragment only would not be loaded again.
function load() {
  history.replaceState(null, "", "#questions");
  location.reload();
}

async function look(place) {
  if (document.hidden) return false;
  const response = await fetch(place.dataset.from, { headers: { Accept: "application/json" } });
  if (response.status >= 500) throw new Error(`questions: ${response.status}`);
  if (!response.ok) return true; // signed out meanwhile: no use in asking on
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
  let done = false;
  let looking = false;
  let missed = false;
  let streams = false;
  let timer = 0;

  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(now, ms);
  };
  async function now() {
    if (done) return;
    missed = looking;
    if (looking) return;
    looking = true;
    let failed = false;
    try {
      done = await look(place);
    } catch {
      failed = true; // the network, or the server, is away for a moment
    }
    looking = false;
    if (!done && (missed || failed || !streams)) later(missed ? 0 : EVERY_MS);
  }

  later(NO_STREAM_AFTER_MS);
  document.addEventListener("signoff:case", (event) => {
    streams = true;
    clearTimeout(timer);
    if (String(event.detail.version) !== place.dataset.version) now();
  });
  document.addEventListener("signoff:alone", () => {
    streams = false;
    now();
  });
}
