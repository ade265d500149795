// The inbox: by keyboard, and kept true while it is open.
import "./page.js";
import "./inbox_keys.js";
import { refresh } from "./inbox_list.js";
import { follow } from "./live.js";

const PAUSE_MS = 2000; // between two loads, so that a flood of cases is no flood of requests
const list = document.getElementById("list");
let wanted = null;
let working = false;

async function catchUp() {
  if (working) return;
  working = true;
  while (wanted !== list.dataset.sign) {
    const sign = wanted;
    try {
      await refresh();
    } catch {
      // The next state that is told tries again.
      break;
    }
    // What was loaded may be newer than what was told; then the stream tells it next.
    if (list.dataset.sign !== sign) wanted = list.dataset.sign;
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  working = false;
}

follow(list.dataset.live, (state) => {
  wanted = state.sign;
  catchUp();
});
