// Keys of the whole page. Letters do nothing while one types or a dialog is open. What is gone
// gives its focus to something that is there.

import { goTo } from "./pager.js";
import { FIRST } from "./place.js";
import { texts } from "./texts.js";

const typing = (element) => element.closest?.("input, textarea, select, [contenteditable]");
let prefix = 0;

const rows = () => [...document.querySelectorAll("#activities tr.row[data-id] .toggle")];

function step(by) {
  const all = rows();
  if (!all.length) return;
  const now = all.indexOf(document.activeElement.closest?.("tr.row")?.querySelector(".toggle"));
  const opened = document.activeElement
    .closest?.("tr.opened")
    ?.previousElementSibling?.querySelector(".toggle");
  const at = now !== -1 ? now : opened ? all.indexOf(opened) : by > 0 ? -1 : all.length;
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  next.focus({ preventScroll: true });
  next.closest("tr").scrollIntoView({ block: "nearest" });
}

function sideways(by) {
  const row = document.activeElement.closest?.("tr.row");
  if (!row) return false;
  const stops = [row.querySelector(".toggle"), ...row.querySelectorAll("td.cell")];
  const at = stops.indexOf(document.activeElement.closest("td.cell") ?? document.activeElement);
  const next = stops[Math.min(stops.length - 1, Math.max(0, at + by))];
  next?.focus();
  return true;
}

function filterByFocused(app) {
  const focused = document.activeElement.closest?.("td.cell");
  if (focused && !focused.dataset.filter) return void app.announce(texts.filters.nothing);
  const cell =
    focused ??
    document.activeElement
      .closest?.("tr.row")
      ?.querySelector("td:is(.c-action, .c-verb)[data-filter]") ??
    document.querySelector("td[data-filter]:hover");
  if (cell) app.addFilter(cell.dataset.filter, cell.dataset.value);
}

/** The button that opens the list of filters: in its row, or of the sheet on a phone. */
const opener = () =>
  [...document.querySelectorAll("#add-filter, .sheet-opener")].find((one) => one.checkVisibility());

export const focusMenu = () =>
  document
    .querySelector("#menu :is(input:not([type=radio]), .option, .button, .link):not(.sheet-close, .back)")
    ?.focus({ preventScroll: true });

/** Draw the page; where that takes away what had the focus, who works by keys goes on nearby. */
export function keepFocus(draw) {
  const held = document.activeElement;
  const part = held?.closest("#menu, .pill, .chips, .blank, .banner");
  draw();
  if (!part || held.isConnected) return;
  if (part.id === "menu") focusMenu();
  else ((part.matches(".pill") && document.querySelector("#activities .toggle, #main [data-stop]")) || opener())?.focus();
}

export function listen(app) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, target } = event;
    if (document.querySelector("dialog[open]") || typing(target)) return;
    if (document.querySelector("#menu:popover-open")) return;
    const act = (work) => {
      event.preventDefault();
      work();
    };
    if (Date.now() - prefix < 1500) {
      prefix = 0;
      const view = { p: "processes", a: "audit", i: "ai", h: "home" }[key];
      if (view)
        return act(() =>
          app.go({ view, organization: "", tab: null, filters: [], ...FIRST, columns: null }),
        );
    }
    if (app.lens?.key(event)) return event.preventDefault();
    const inTable = target.closest?.("tr.row") || target === document.body;
    const keys = {
      "/": () => document.querySelector("#search")?.focus(),
      "?": () => app.showHelp(),
      g: () => {
        prefix = Date.now();
      },
      j: () => step(1),
      k: () => step(-1),
      x: () => filterByFocused(app),
      f: () => opener()?.click(),
      n: () => goTo(app, 1),
      p: () => goTo(app, -1),
      r: () => app.refresh(),
      t: () => app.switchZone(),
    };
    if ((keys[key] && !event.shiftKey) || key === "?") return act(keys[key]);
    if (key === "Escape" && app.place.open) return act(() => app.toggle(app.place.open));
    if (event.shiftKey || !inTable) return undefined;
    if (key === "ArrowDown") return act(() => step(1));
    if (key === "ArrowUp") return act(() => step(-1));
    if (key === "ArrowLeft" && sideways(-1)) return event.preventDefault();
    if (key === "ArrowRight" && sideways(1)) return event.preventDefault();
    if (key === "Enter" && target.matches?.("td.cell"))
      return act(() => app.toggle(target.closest("tr").dataset.id));
    return undefined;
  });
}
