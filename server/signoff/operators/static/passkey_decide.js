// Deciding with a passkey: the person signs this very decision, then it is sent.
import "./page.js";
import { ask, beforeSending, sign } from "./webauthn.js";

for (const form of document.querySelectorAll("form[data-sign]")) {
  beforeSending(form, async () => {
    const asked = await ask(form.dataset.sign, new FormData(form));
    // Something is wrong with the decision itself: the page that comes back says what.
    if (!asked) return;
    const { assertion } = await sign(asked);
    form.elements.namedItem("passkey").value = JSON.stringify({ statement: asked.statement, assertion });
    form.elements.namedItem("salt").value = asked.salt;
  });
}
