// Parts of a case that did not fit on its page: the link to one fetches it and is replaced by it.
// An XMLHttpRequest parses the answer as a document in which nothing runs; no text is ever turned into markup here.

function fetched(address) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.addEventListener("load", () => {
      const part = request.status === 200 ? request.response?.querySelector("[data-part-content]") : null;
      if (part) done(document.importNode(part, true));
      else fail(new Error(`part: ${request.status}`));
    });
    request.addEventListener("error", () => fail(new Error("part: no answer")));
    request.send();
  });
}

document.addEventListener("click", async (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-part]") : null;
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  try {
    const part = await fetched(link.href);
    part.classList.add("loaded");
    part.tabIndex = -1;
    // A list of flags keeps its links: there the part is put behind the list.
    const keeps = link.closest(".flags, .tagline");
    if (keeps) {
      document.querySelectorAll(".loaded--shown").forEach((old) => old.remove());
      part.classList.add("loaded--shown", "boxed");
      keeps.append(part);
    } else {
      link.replaceWith(part);
    }
    part.querySelectorAll(".part-page__on").forEach((one) => one.remove());
    part.focus({ preventScroll: true });
    const here = part.querySelector("#here");
    (here ?? part).scrollIntoView({ block: here ? "center" : "nearest" });
    document.dispatchEvent(new CustomEvent("signoff:part", { detail: part }));
  } catch {
    location.assign(link.href);
  } finally {
    link.removeAttribute("aria-busy");
  }
});
