// Every page: a form that cannot be sent stays as it was written, and the page says so.

const note = document.getElementById("offline-note");

document.addEventListener("submit", (event) => {
  if (navigator.onLine) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  note.hidden = false;
}, { capture: true });
addEventListener("online", () => { note.hidden = true; });
