// The settings page: the button that installs, where the browser offers it, and what stands there where it is done.
import "./worker.js";

const button = document.getElementById("install");
const done = document.getElementById("installed");

addEventListener("beforeinstallprompt", (offer) => {
  offer.preventDefault();
  button.hidden = false;
  button.addEventListener("click", () => offer.prompt(), { once: true });
});

function installed() {
  button.hidden = true;
  done.hidden = false;
}
addEventListener("appinstalled", installed);
if (matchMedia("(display-mode: standalone)").matches) installed();
