// The settings page: subscribe this browser. What it states is sent as an ordinary form.
import { started } from "./worker.js";

const form = document.getElementById("browser");
const problem = document.getElementById("browser-problem");
function say(what) {
  problem.textContent = problem.dataset[what];
  problem.hidden = false;
  delete form.dataset.sent;
  form.querySelector("button").removeAttribute("aria-disabled");
}

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

async function subscribed() {
  if ((await Notification.requestPermission()) !== "granted") return say("refused");
  await started;
  const registration = await navigator.serviceWorker.ready;
  const key = bytes(form.dataset.key);
  const held = await registration.pushManager.getSubscription();
  const same = held && String(new Uint8Array(held.options.applicationServerKey)) === String(key);
  if (held && !same) await held.unsubscribe(); // it belongs to a key that this server no longer has
  const made = same ? held : await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const { endpoint, keys } = made.toJSON();
  form.elements.namedItem("endpoint").value = endpoint;
  form.elements.namedItem("p256dh").value = keys.p256dh;
  form.elements.namedItem("auth").value = keys.auth;
  form.submit();
}

if ("serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    problem.hidden = true;
    subscribed().catch(() => say("failed"));
  });
} else {
  say("unable");
}
