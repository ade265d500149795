// Shows what a push message says, and opens its page on a tap. Keeps one page, the one that says that there is no
// connection, with its styles, and shows it in place of a page that cannot be loaded. It keeps no case and no form:
// what is sent by POST never passes through here.

const FILES = "/static/";
const OFFLINE = "/offline";
const SHELF = "offline";
const KEPT = [OFFLINE, FILES + "tokens.css", FILES + "page.css"];

async function keep() {
  await caches.delete(SHELF);
  const shelf = await caches.open(SHELF);
  await shelf.addAll(KEPT.map((path) => new Request(path, { credentials: "omit", cache: "reload" })));
}

function home(url) {
  try {
    const made = new URL(url, self.location.origin);
    if (made.origin === self.location.origin) return made.href;
  } catch {
    // not a URL
  }
  return self.location.origin + "/";
}

// A push that is missed is worse than a page that is missing: what cannot be kept stops nothing.
self.addEventListener("install", (event) => {
  event.waitUntil(keep().catch(() => {}));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([
    self.clients.claim(),
    // The browser itself asks for the page meanwhile, as it would without a worker: same cookies, no later.
    self.registration.navigationPreload?.enable(),
  ]));
});

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await caches.match(OFFLINE)) ?? Response.error();
  }
}

async function file(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request, { ignoreVary: true })) ?? Response.error();
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (KEPT.includes(new URL(request.url).pathname)) event.respondWith(file(request));
});

self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data ? event.data.json() : {};
  } catch {
    // a message that is not ours says nothing
  }
  event.waitUntil(
    self.registration.showNotification(String(told.title || "signoff"), {
      body: String(told.body || ""),
      icon: FILES + "icon-192.png",
      tag: home(told.url),
      renotify: true,
      requireInteraction: true,
      data: { url: home(told.url) },
    }),
  );
});

async function open(url) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => one.url.split("#")[0] === url);
  return there ? there.focus() : self.clients.openWindow(url);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(home(event.notification.data?.url)));
});
