// Passkeys in the browser: asking the server what to sign, having it signed, and saying what went wrong.
// Words stand in the page (`data-passkey-problem`); nothing here writes any.

const ALGORITHMS = [-7, -8, -257];

export const supported = () => typeof PublicKeyCredential === "function" && !!navigator.credentials;

function decode(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

function encode(buffer) {
  const raw = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(raw).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const named = (ids) => ids.map((id) => ({ type: "public-key", id: decode(id) }));

// Returns what the server asks to sign, or null where it refuses: then it tells why on a page.
export async function ask(url, form) {
  const body = new URLSearchParams(form);
  const response = await fetch(url, { method: "POST", body, credentials: "same-origin", redirect: "error" });
  if (response.ok) return response.json();
  if (response.status >= 500) throw new DOMException("", "unreachable");
  return null;
}

export async function sign(asked) {
  const made = await navigator.credentials.get({
    publicKey: {
      challenge: decode(asked.challenge),
      rpId: asked.rp_id,
      allowCredentials: named(asked.credentials),
      userVerification: "required",
      timeout: asked.timeout_ms,
    },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = made.response;
  return {
    assertion: {
      credential_id: encode(made.rawId),
      authenticator_data: encode(authenticatorData),
      client_data: encode(clientDataJSON),
      signature: encode(signature),
    },
    user_handle: userHandle?.byteLength ? encode(userHandle) : null,
  };
}

export async function make(asked) {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: decode(asked.challenge),
      rp: { id: asked.rp_id, name: "signoff" },
      user: { id: decode(asked.user_id), name: asked.user_name, displayName: asked.user_name },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: named(asked.exclude),
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
      timeout: asked.timeout_ms,
    },
  });
  return {
    client_data: encode(made.response.clientDataJSON),
    authenticator_data: encode(made.response.getAuthenticatorData()),
  };
}

export function say(form, error) {
  const found = [...form.querySelectorAll("[data-passkey-problem]")];
  const name = error?.name === "TypeError" || error?.name === "SyntaxError" ? "unreachable" : error?.name;
  const told = found.find((one) => one.dataset.passkeyProblem === name);
  for (const one of found) one.hidden = true;
  if (error) (told ?? found.find((one) => one.dataset.passkeyProblem === "other")).hidden = false;
}

// Runs `work` when a form is sent, and sends it afterwards. When it fails, the form can be sent again.
export function beforeSending(form, work) {
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented || event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    say(form, supported() ? null : new DOMException("", "unsupported"));
    if (supported()) {
      try {
        await work();
        form.submit();
        return;
      } catch (error) {
        say(form, error);
      }
    }
    delete form.dataset.sent;
    for (const button of document.querySelectorAll("button")) {
      if (button.form === form) button.removeAttribute("aria-disabled");
    }
  });
}
