// A link to a part that is folded opens it, and puts the cursor where writing goes on.

export function reveal() {
  const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  const details = target?.closest("details");
  if (!details) return;
  details.open = true;
  details.scrollIntoView({ block: "start" });
  const fields = "input:not([type=hidden]):not(:disabled), textarea:not(:disabled), select:not(:disabled)";
  (target.closest("fieldset") ?? details).querySelector(fields)?.focus({ preventScroll: true });
}

addEventListener("hashchange", reveal);
reveal();
// A second tap on the same button changes no fragment.
for (const link of document.querySelectorAll(".bar a[href^='#'], .decide a[href^='#']")) {
  link.addEventListener("click", () => setTimeout(reveal));
}
