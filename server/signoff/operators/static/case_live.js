// The case page: who else has it open, and that it changed since it was loaded. It says so and loads nothing by itself,
// because somebody may be writing here.
import { follow } from "./live.js";

const place = document.getElementById("presence");
if (place) {
  const { version, handled, status } = place.dataset;
  const who = place.querySelector(".presence__who");
  const changed = place.querySelector("[data-changed]");
  const what = place.querySelector("[data-what]");

  const sentence = (names) => {
    const form = names.length === 1 ? place.dataset.one : names.length === 2 ? place.dataset.two : place.dataset.many;
    return form.replace("{a}", () => names[0]).replace("{b}", () => names[1]).replace("{n}", () => String(names.length - 2));
  };
  const word = (name) => place.querySelector(`[data-status-word="${name}"]`)?.textContent ?? name;

  // One notice for everything that changes: that the agent has answered is said here, too.
  let answered = false;
  const again = changed.querySelector("[data-again]");
  document.addEventListener("signoff:answered", () => {
    answered = true;
    changed.hidden = false;
    what.textContent = what.dataset.answered;
  });
  again.addEventListener("click", (event) => {
    if (!answered) return;
    event.preventDefault();
    // An address that differs in its fragment only would not be loaded again.
    history.replaceState(null, "", "#questions");
    location.reload();
  });

  const lost = () => document.dispatchEvent(new CustomEvent("signoff:alone"));
  follow(place.dataset.live, (state) => {
    who.hidden = state.present.length === 0;
    if (state.present.length) who.querySelector("[data-names]").textContent = sentence(state.present);
    const moved = String(state.version) !== version || state.status !== status;
    const handed = String(state.handled) !== handled;
    changed.hidden = !answered && !moved && !(handed && !state.mine);
    if (moved && state.status !== status) {
      const by = state.decided_by.join(", ");
      const form = by ? what.dataset.ended : what.dataset.endedAlone;
      what.textContent = form.replace("{who}", () => by).replace("{status}", () => word(state.status));
    } else if (answered) {
      what.textContent = what.dataset.answered;
    } else if (!moved && state.acknowledged_by) {
      what.textContent = what.dataset.hand.replace("{who}", () => state.acknowledged_by);
    } else {
      what.textContent = what.dataset.other;
    }
    // Other parts of the page follow, too.
    document.dispatchEvent(new CustomEvent("signoff:case", { detail: state }));
  }, lost);
}
