// One floating line for everything with data-tip: the exact time, the whole of what is clipped.

export function listenTips() {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("popover", "manual");
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);

  const hide = () => {
    if (tip.matches(":popover-open")) tip.hidePopover();
  };
  const show = (target) => {
    tip.textContent = target.dataset.tip;
    if (!tip.matches(":popover-open")) tip.showPopover();
    const box = target.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - tip.offsetWidth - 8))}px`;
    // What an open row says stands below it.
    const above = target.closest(".row.open") || box.bottom + 4 + tip.offsetHeight > window.innerHeight;
    tip.style.top = `${above ? box.top - tip.offsetHeight - 4 : box.bottom + 4}px`;
  };
  const find = (element) => element.closest?.("[data-tip]");
  document.addEventListener("pointerover", (event) => {
    const target = find(event.target);
    if (target) show(target);
    else hide();
  });
  document.addEventListener("focusin", (event) => {
    // The focused cell of a row, or the row itself, tells its exact time.
    const target =
      find(event.target) ??
      event.target.querySelector?.("[data-tip]") ??
      (event.target.matches?.(".toggle") ? event.target.closest("tr").querySelector("time[data-tip]") : null);
    if (target && event.target.matches(":focus-visible")) show(target);
    else hide();
  });
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => {
    if (["Escape", "Enter", " "].includes(event.key)) hide();
  });
}
