// Links within the page change its address without loading it anew.

import { read } from "./place.js";

export function followLinks(app) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='/']");
    if (
      !link ||
      link.hasAttribute("data-leave") ||
      link.target ||
      link.download ||
      event.button ||
      event.ctrlKey ||
      event.metaKey ||
      event.shiftKey ||
      event.defaultPrevented
    )
      return;
    const place = read(new URL(link.href));
    if (place.view === "nowhere" || place.view === "login") return;
    event.preventDefault();
    app.go({ ...place, size: app.place.size });
  });
}
