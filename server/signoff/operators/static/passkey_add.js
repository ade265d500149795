// Making a new passkey, which then waits for a second person.
import "./page.js";
import { ask, beforeSending, make } from "./webauthn.js";

for (const form of document.querySelectorAll("form[data-passkey-add]")) {
  form.hidden = false;
  beforeSending(form, async () => {
    const asked = await ask(form.dataset.passkeyAdd, {});
    if (!asked) throw new DOMException("", "unreachable");
    const made = await make(asked);
    form.elements.namedItem("passkey").value = JSON.stringify({ statement: asked.statement, ...made });
  });
}
