// Put a fresh list in the place of the one that is shown: fetched as a page, so that there is one place that makes it.
import { localTimes } from "./page.js";

const QUIET_MS = 1500;
let moved = -QUIET_MS;
for (const kind of ["pointermove", "pointerdown", "touchstart", "wheel"]) {
  addEventListener(kind, (event) => {
    if (event.target instanceof Element && event.target.closest("#list")) moved = performance.now();
  }, { passive: true });
}

// Lines do not move from under a finger that is about to tap one.
function quiet() {
  const left = moved + QUIET_MS - performance.now();
  return left > 0 ? new Promise((done) => setTimeout(done, left)).then(quiet) : Promise.resolve();
}

// A parsed page, without any of the ways to turn text into elements that the security policy forbids.
function load(address) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.addEventListener("load", () => (request.status === 200 && request.response ? done(request.response) : failed()));
    request.addEventListener("error", failed);
    request.send();
  });
}

const cases = () => [...document.querySelectorAll("#list [data-case]")].map((line) => line.dataset.case);

function replace(id, page) {
  const here = document.getElementById(id);
  const fresh = page.getElementById(id);
  if (here && fresh) here.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
}

function say(more, changed) {
  const told = document.getElementById("told");
  if (more > 0) told.textContent = more === 1 ? told.dataset.one : told.dataset.many.replace("{n}", String(more));
  else if (changed) told.textContent = told.dataset.fewer;
}

export async function refresh() {
  const page = await load(location.href);
  if (!page.getElementById("list")) return;
  await quiet();
  const list = document.getElementById("list");
  const before = cases();
  const focused = document.activeElement?.closest("#list [data-case]")?.dataset.case;
  const at = before.indexOf(focused);
  replace("list", page);
  replace("tabs", page);
  list.dataset.sign = page.getElementById("list").dataset.sign;
  document.title = page.title;
  localTimes(list);
  const after = cases();
  const more = after.filter((one) => !before.includes(one));
  for (const one of more) list.querySelector(`[data-case="${one}"]`).classList.add("is-new");
  if (focused) {
    const next = after.includes(focused) ? focused : after[Math.min(at, after.length - 1)];
    list.querySelector(`[data-case="${next}"]`)?.focus();
  }
  say(more.length, before.join() !== after.join());
}
