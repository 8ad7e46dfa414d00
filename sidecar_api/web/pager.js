// Below the table: what is shown, how many a page, which page.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { icon } from "./icons.js";
import { SIZES } from "./place.js";

const P = texts.pages;
/** Entries that numbered pages reach (the API's own bound); cursors go on from there. */
const DEEPEST = 10000;

/** 1 … 4 [5] 6 … 17: numbers, and null for a gap. */
export function numbers(current, last) {
  const wanted = new Set(
    [1, 2, last - 1, last, current - 1, current, current + 1].filter((n) => n >= 1 && n <= last),
  );
  if (current <= 4) [3, 4, 5].forEach((n) => n <= last && wanted.add(n));
  if (current >= last - 3) [last - 2, last - 3, last - 4].forEach((n) => n >= 1 && wanted.add(n));
  const sorted = [...wanted].sort((a, b) => a - b);
  return sorted.flatMap((n, i) =>
    i && n - sorted[i - 1] === 2 ? [n - 1, n] : i && n - sorted[i - 1] > 1 ? [null, n] : [n],
  );
}

const open = (app, number) =>
  app.go({ page: number, cursor: null, asOf: number > 1 ? app.answer.page.as_of : null, open: null });

export function goTo(app, step) {
  const { page } = app.answer ?? {};
  if (!page) return;
  // By the address, not by the answer: who is quicker than it goes on from page to page.
  const number = (app.place.cursor ? page.number : app.place.page) + step;
  const cursor = step > 0 ? page.next : page.previous;
  const last = Math.ceil(page.total / page.size);
  if (number < 1 || number > last) return;
  if (number * page.size <= DEEPEST) open(app, number);
  else if (cursor) app.go({ page: number, cursor, asOf: null, open: null });
}

export function pager(app) {
  const page = app.answer?.page;
  if (!page) return html`<div class="pager"><span class="bone short"></span></div>`;
  const last = Math.max(1, Math.ceil(page.total / page.size));
  const reach = Math.min(last, Math.floor(DEEPEST / page.size));
  const gap = (place) =>
    app.gap === place
      ? html`<form @submit=${(event) => {
          event.preventDefault();
          const n = Number(event.target.n.value);
          app.gap = null;
          if (n >= 1 && n <= reach) open(app, Math.floor(n));
          else app.render();
        }}>
        <input class="gap" name="n" type="number" min="1" max=${reach} aria-label=${P.goto(reach)} @blur=${() => {
          if (app.gap !== null) {
            app.gap = null;
            app.render();
          }
        }} @keydown=${(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            event.target.blur();
          }
        }} /></form>`
      : html`<button type="button" class="page" aria-label=${P.gap} @click=${() => {
          app.gap = place;
          app.render();
          document.querySelector("input.gap")?.focus();
        }}>…</button>`;
  return html`<div class="pager">
    <span class="showing" id="showing">${page.total ? P.showing(page.from, page.to, page.total) : P.nothing}</span>
    <label class="size"><span class="unseen">${P.size}</span><select id="page-size"
      @change=${(event) => app.setSize(Number(event.target.value))}>
      ${SIZES.map((n) => html`<option value=${n}
        .selected=${n === app.size}>${P.perPage(n)}</option>`)}</select></label>
    <button type="button" class="button quiet-button" id="refresh"
      @click=${() => app.refresh()}>${icon("refresh-cw")}<span>${P.refresh}</span></button>
    <nav aria-label=${P.label}>
      <button type="button" class="page" aria-label=${P.previous} ?disabled=${page.number <= 1}
        @click=${() => goTo(app, -1)}>${icon("chevron-left")}</button>
      ${numbers(Math.min(page.number, reach), reach).map((n, i) =>
        n === null
          ? gap(i)
          : html`<button type="button" class="page" aria-label=${P.page(n)}
        aria-current=${n === page.number ? "page" : nothing}
          @click=${() => open(app, n)}>${n.toLocaleString("en")}</button>`,
      )}
      ${page.number > reach ? html`<span class="page here"
        aria-current="page">${page.number.toLocaleString("en")}</span>` : nothing}
      <button type="button" class="page" aria-label=${P.next}
        data-tip=${reach < last && page.number >= reach ? P.deeper : nothing}
        ?disabled=${page.number >= last} @click=${() => goTo(app, 1)}>${icon("chevron-right")}</button>
    </nav>
  </div>`;
}
