// Follow a stream of the server's, while the page can be seen; `told` gets each state of things, and `lost` is called where
// no more will come.

export function follow(address, told, lost = () => {}) {
  let source = null;
  let ended = false;

  const open = () => {
    if (source || ended || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("state", (event) => told(JSON.parse(event.data)));
    // The session is over, or the server stops: the page stays as it is, and a load says more.
    source.addEventListener("end", () => {
      ended = true;
      close();
      lost();
    });
    // A connection that breaks is made again by the browser; one that was refused is not.
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) lost();
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  // A browser keeps few connections to one server; pages that nobody sees let go of theirs.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}
