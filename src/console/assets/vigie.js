// Live updates, the copy button, nothing else: the page reads without it. On every change told by /api/v1/stream the
// page is fetched anew and the parts marked data-live that differ are exchanged; what a person has opened, switched
// or selected elsewhere stays as it is.
"use strict";
(() => {
  const body = document.body;
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  const announce = document.getElementById("announce");
  const QUIET_MS = 1000;
  let timer = 0;
  let busy = false;
  let again = false;
  let connectedBefore = false;

  function setLive(on) {
    live.className = on ? "live on" : "live off";
    live.textContent = on ? body.dataset.liveOn : body.dataset.liveOff;
    lost.hidden = on;
  }

  function exchange(old, fresh) {
    const open = [...old.querySelectorAll("details")].map((d) => d.open);
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && focused.getAttribute("href");
    old.replaceChildren(...fresh.childNodes);
    old.className = fresh.className;
    old.querySelectorAll("details").forEach((d, i) => { if (i < open.length) d.open = open[i]; });
    if (focused) {
      const same = focused.id ? document.getElementById(focused.id)
        : href && [...old.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
      if (same) same.focus({ preventScroll: true });
    }
    ready(old);
  }

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = page.title;
      const here = document.querySelectorAll("[data-live]");
      for (const old of here) {
        const fresh = page.getElementById(old.id);
        // Text that somebody is selecting is not pulled away.
        const chosen = getSelection();
        const held = chosen && !chosen.isCollapsed && old.contains(chosen.anchorNode);
        if (fresh && !held && shape(old) !== shape(fresh)) exchange(old, fresh);
      }
      // A section that was not there before needs the whole page.
      const known = new Set([...here].map((e) => e.id));
      if ([...page.querySelectorAll("[data-live]")].some((e) => !known.has(e.id))) location.reload();
    } catch {
      // The stream tells when the daemon is back.
    } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  }

  // What the server sent, without what this script and the reader changed.
  function shape(element) {
    const copy = element.cloneNode(true);
    copy.querySelectorAll("details").forEach((d) => d.removeAttribute("open"));
    copy.querySelectorAll("button").forEach((b) => b.remove());
    return copy.className + copy.innerHTML;
  }

  function soon() {
    if (!timer) timer = setTimeout(() => { timer = 0; refresh(); }, QUIET_MS);
  }

  function ready(root) {
    root.querySelectorAll("button.copy").forEach((button) => { button.hidden = false; });
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = body.dataset.copied;
      announce.textContent = body.dataset.copied;
      setTimeout(() => { button.textContent = label; }, 1600);
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  function connect() {
    const source = new EventSource("/api/v1/stream");
    source.addEventListener("hello", () => {
      setLive(true);
      if (connectedBefore) soon();
      connectedBefore = true;
    });
    source.addEventListener("alert", (event) => {
      const alert = JSON.parse(event.data);
      if (alert.kind === "opened" || alert.kind === "raised") announce.textContent = alert.summary;
      soon();
    });
    source.addEventListener("channel", soon);
    source.addEventListener("reload", soon);
    source.addEventListener("error", () => {
      setLive(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }, { once: true });
  }

  ready(document);
  connect();
})();
