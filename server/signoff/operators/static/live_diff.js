// What a modification changes, while it is typed. The server reads the form as it will when it is sent, so that there is one
// reading; nothing is decided.

const PAUSE_MS = 350;

function words(pieces) {
  return pieces.map(([text, mark]) => {
    const span = document.createElement("span");
    if (mark === "gap") span.className = "soft";
    else if (mark) span.className = `mark mark--${mark}`;
    span.textContent = text;
    return span;
  });
}

function line(kind, word, pieces) {
  const row = document.createElement("div");
  row.className = `diff__${kind}`;
  const name = document.createElement("span");
  name.className = "diff__word";
  name.textContent = word;
  const text = document.createElement("span");
  text.className = "text";
  text.append(...words(pieces));
  row.append(name, text);
  return row;
}

function entry(change, list) {
  const item = document.createElement("li");
  const path = document.createElement("div");
  path.className = "diff__path";
  path.append(...words(change.path));
  item.append(path);
  if ("old" in change) item.append(line("old", list.dataset.old, change.old));
  item.append(line("new", list.dataset.new, change.new ?? [[list.dataset.removed, ""]]));
  return item;
}

const form = document.getElementById("modify-form");
if (form?.dataset.live) {
  const list = document.getElementById("live-diff");
  const none = document.getElementById("live-none");
  const broken = document.getElementById("live-broken");
  const send = document.getElementById("modify-send");
  let timer = 0;
  let asked = 0;

  const show = (found) => {
    broken.hidden = !found.problem;
    broken.textContent = found.problem ? [found.problem.field, found.problem.message].filter(Boolean).join(": ") : "";
    list.replaceChildren(...found.changes.map((change) => entry(change, list)));
    none.hidden = found.changes.length > 0 || Boolean(found.problem);
    send.hidden = found.changes.length === 0;
  };

  const ask = async () => {
    const mine = ++asked;
    const fields = new FormData(form);
    if ([...fields.values()].some((value) => typeof value !== "string")) return;
    try {
      const response = await fetch(form.dataset.live, { method: "POST", body: new URLSearchParams(fields) });
      if (mine !== asked) return; // something else was typed meanwhile
      if (response.ok) show(await response.json());
      else send.hidden = true;
    } catch {
      send.hidden = true; // "Preview changes" is left, which needs no script
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    send.hidden = true; // what stands there is not what is typed
    timer = setTimeout(ask, PAUSE_MS);
  });
  document.getElementById("live").hidden = false;
  ask();
}
