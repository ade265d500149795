// A magic link's secret stands behind the # and so never leaves the browser by itself. Only a click sends it.
const form = document.getElementById("open");
const secret = location.hash.slice(1);
if (secret) {
  form.elements.namedItem("secret").value = secret;
  form.hidden = false;
} else {
  document.getElementById("incomplete").hidden = false;
}
// Another link of the same case differs in its fragment only, which does not load the page again.
addEventListener("hashchange", () => location.reload());
// The way past the navigation would put its own name in the secret's place.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
