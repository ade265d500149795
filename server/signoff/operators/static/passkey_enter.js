// Signing in with a passkey, and stepping up with one on a case's page.
import "./page.js";
import { ask, beforeSending, sign, supported } from "./webauthn.js";

for (const form of document.querySelectorAll("form[data-passkey-enter]")) {
  if (!supported()) continue;
  form.hidden = false;
  for (const one of document.querySelectorAll("[data-with-passkey]")) one.hidden = false;
  beforeSending(form, async () => {
    const asked = await ask("/sign-in/passkey/challenge", new FormData(form));
    if (!asked) throw new DOMException("", "unreachable");
    const { assertion, user_handle } = await sign(asked);
    const { statement, seal } = asked;
    form.elements.namedItem("passkey").value = JSON.stringify({ statement, seal, assertion, user_handle });
  });
}
