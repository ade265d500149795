// Choosing among cases that are alike: all at once, and how many are chosen.
import "./page.js";
import "./inbox_keys.js";

const all = document.getElementById("all");
const look = document.getElementById("choose-look");
const boxes = [...document.querySelectorAll("#choose [name=case]")];
if (look) {
  const words = look.textContent;
  const show = () => {
    const n = boxes.filter((box) => box.checked).length;
    look.textContent = n ? `${words} (${n})` : words;
    if (all) {
      all.checked = n === boxes.length;
      all.indeterminate = n > 0 && n < boxes.length;
    }
  };
  if (all) {
    document.getElementById("choose-all").hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      show();
    });
  }
  document.getElementById("choose").addEventListener("change", show);
  addEventListener("pageshow", show);
}
