// Every page: times in the reader's own zone, what is left of a deadline, and no second click on a sent form.

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-left])")) {
    time.title = time.textContent;
    time.textContent = local.format(new Date(time.dateTime));
  }
}
localTimes(document);
document.addEventListener("signoff:part", (event) => localTimes(event.detail));

export function span(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const parts = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [length, unit] of units) {
    if (rest >= length) {
      parts.push(`${Math.floor(rest / length)} ${unit}`);
      rest %= length;
    } else if (parts.length) {
      break;
    }
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 s";
}

// The server's clock counts: the page was made at data-now, and from there on only elapsed time is measured.
const madeAt = Date.parse(document.body.dataset.now ?? "");
const loadedAt = performance.now();
const now = () => madeAt + (performance.now() - loadedAt);

function tick() {
  for (const time of document.querySelectorAll("time[data-left]")) {
    const left = (Date.parse(time.dateTime) - now()) / 1000;
    time.textContent = left > 0 ? span(left) : time.dataset.over;
    time.classList.toggle("late", "warn" in time.dataset && left < 60);
    if (left <= 0 && time.dataset.ends) {
      document.getElementById(time.dataset.ends)?.setAttribute("hidden", "");
      document.getElementById(time.dataset.ends + "-over")?.removeAttribute("hidden");
    }
  }
}
if (!Number.isNaN(madeAt)) {
  tick();
  setInterval(tick, 1000);
}

// A form that downloads a file leaves its page as it is, to be sent again.
for (const form of document.querySelectorAll("form:not([data-stays])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    for (const button of document.querySelectorAll("button")) {
      if (button.form === form) button.setAttribute("aria-disabled", "true");
    }
  });
}
// A page that comes back from the browser's memory must be usable again.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    await navigator.clipboard?.writeText(field.value);
    button.textContent = button.dataset.done;
  });
}
