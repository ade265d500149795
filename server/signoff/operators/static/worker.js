// Starts the one worker of these pages. The page's policy lets a script load from that place only.

const WORKER = "/push-worker.js";
const urls = globalThis.trustedTypes?.createPolicy("signoff-worker", {
  createScriptURL(url) {
    if (url !== WORKER) throw new TypeError("not the worker");
    return url;
  },
});

export const started = "serviceWorker" in navigator
  ? navigator.serviceWorker.register(urls ? urls.createScriptURL(WORKER) : WORKER, { scope: "/" })
  : Promise.reject(new TypeError("no workers here"));
started.catch(() => {}); // whoever needs it waits for it, and says so
