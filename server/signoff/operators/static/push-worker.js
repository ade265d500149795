// Shows what a push message says, and opens its page on a tap. It keeps nothing and answers no page's requests.

function home(url) {
  try {
    const made = new URL(url, self.location.origin);
    if (made.origin === self.location.origin) return made.href;
  } catch {
    // not a URL
  }
  return self.location.origin + "/";
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

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
      tag: home(told.url),
      renotify: true,
      requireInteraction: true,
      data: { url: home(told.url) },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(home(event.notification.data?.url)));
});
