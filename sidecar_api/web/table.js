// The table: rows, heads that can be dragged, resized and moved by keys.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { texts } from "./texts.js";
import { COLUMNS, SETS, headOf } from "./columns.js";
import { details } from "./details.js";
import { icon } from "./icons.js";
import * as reading from "./reading.js";
import { recall, remember } from "./store.js";
import { relative } from "./time.js";
import { plain } from "./words.js";

const LEAST = 64,
  MOST = 900,
  STEP = 16,
  SPARE = 200,
  OPENER = 40;

/** Order and widths of a set as this browser remembers them. */
function layout(set) {
  const own = recall(`layout.${set}`, {});
  const known = SETS[set];
  const order = (own.order ?? []).filter((key) => known.includes(key));
  return { order: [...order, ...known.filter((key) => !order.includes(key))], widths: own.widths ?? {} };
}
const save = (set, change) => remember(`layout.${set}`, { ...layout(set), ...change });
export const resetLayout = (set) => remember(`layout.${set}`, {});
const widthOf = (widths, key) => Math.min(MOST, Math.max(LEAST, widths[key] ?? COLUMNS[key].width));

/** The widest column takes what is left of the window, also where somebody sized it. */
const flexible = (order) =>
  order.filter((key) => key !== "action").sort((a, b) => COLUMNS[b].width - COLUMNS[a].width)[0] ?? order.at(-1);
const headAt = (key) => document.querySelector(`#activities th:has([data-head="${key}"])`);

/** Takes hold of the right edge of a column; what is returned moves it by so many pixels. Where the
    flexible column stands to the right it gives way, else the neighbour does. */
function edge(app, key) {
  const { order, widths } = layout(app.set);
  const at = order.indexOf(key);
  const next = at < order.indexOf(flexible(order)) ? undefined : order[at + 1];
  const [own, other] = [key, next].map((name) => name && headAt(name).getBoundingClientRect().width);
  return (by) => {
    const moved = Math.round(Math.max(LEAST - own, Math.min(MOST - own, next ? other - LEAST : MOST, by)));
    save(app.set, { widths: { ...widths, [key]: own + moved, ...(next ? { [next]: other - moved } : {}) } });
    app.render();
  };
}

function move(app, key, by) {
  const { order } = layout(app.set);
  const from = order.indexOf(key),
    to = Math.min(order.length - 1, Math.max(0, from + by));
  if (from === to) return;
  order.splice(to, 0, order.splice(from, 1)[0]);
  save(app.set, { order });
  app.announce(texts.columns.moved(headOf(key), to + 1, order.length));
  app.render();
  document.querySelector(`[data-head="${key}"]`)?.focus();
}

function headKeys(app, key, event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !(event.altKey || event.shiftKey)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.altKey) move(app, key, by);
  else edge(app, key)(by * STEP);
}

function startResize(app, key, event) {
  event.preventDefault();
  event.stopPropagation();
  const grip = event.currentTarget,
    from = event.clientX,
    pull = edge(app, key);
  grip.setPointerCapture(event.pointerId);
  const follow = (moved) => pull(moved.clientX - from);
  grip.addEventListener("pointermove", follow);
  grip.addEventListener("lostpointercapture", () => grip.removeEventListener("pointermove", follow), {
    once: true,
  });
}

function resizeKeys(app, key, event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  event.stopPropagation();
  edge(app, key)(by * STEP);
}

let dragged = null;
function drop(app, key, event) {
  event.preventDefault();
  if (!dragged || dragged === key) return;
  const { order } = layout(app.set);
  move(app, dragged, order.indexOf(key) - order.indexOf(dragged));
  dragged = null;
}

function head(app, key, width) {
  const name = headOf(key);
  const byTime = ["when", "time", "created", "timestamp"].includes(key);
  return html`<th scope="col" aria-label=${name} aria-sort=${byTime ? "descending" : nothing} @dragover=${(event) => dragged && event.preventDefault()}
    @drop=${(event) => drop(app, key, event)}>
    <span class="head" tabindex="0" role="group" data-head=${key} draggable="true"
      aria-label=${name} aria-describedby="head-keys"
      @keydown=${(event) => headKeys(app, key, event)} @dragstart=${() => {
        dragged = key;
      }} @dragend=${() => {
        dragged = null;
      }}>${name}</span>
    <span class="grip" role="separator" tabindex="0" aria-orientation="vertical"
      aria-label=${texts.columns.resize(name)}
      aria-valuenow=${width} aria-valuemin=${LEAST} aria-valuemax=${Math.max(MOST, width)}
        aria-valuetext=${texts.columns.width(width)}
      @pointerdown=${(event) => startResize(app, key, event)} @keydown=${(event) => resizeKeys(app, key, event)}></span>
  </th>`;
}

function row(app, activity, order) {
  const id = activity.id,
    open = app.place.open === id;
  const what = [reading.actionLabel(activity), reading.resourceLabel(activity)].filter(Boolean).map((one) => plain(one));
  const subject = `${what.join(" ")}, ${relative(activity["@timestamp"])}`;
  const toggle = (event) => {
    if (event.target.closest("a, button, summary, input") || String(window.getSelection())) return;
    app.toggle(id);
  };
  return html`<tr class=${open ? "row open" : "row"} data-id=${id} @click=${toggle}>
      <td class="opener"><button type="button" class="toggle" aria-expanded=${open ? "true" : "false"}
        aria-controls=${open ? `details-${id}` : nothing}
        aria-label=${texts.table.open(subject)} @click=${() => app.toggle(id)}>${icon("chevron-right")}</button></td>
      ${order.map((key) => {
        const filter = COLUMNS[key].filter?.(activity);
        const usable = filter?.[1] !== undefined && filter?.[1] !== null && filter?.[1] !== "";
        return html`<td class=${`cell c-${key}`} tabindex="-1" data-filter=${usable ? filter[0] : nothing}
          data-value=${usable ? filter[1] : nothing}
          >${COLUMNS[key].cell(activity, app.zone)}</td>`;
      })}
    </tr>
    ${open ? html`<tr class="opened" id=${`details-${id}`}><td colspan=${order.length + 1}>${details(app, activity)}</td></tr>` : nothing}`;
}

const skeleton = (columns, rows) =>
  Array.from(
    { length: rows },
    () => html`<tr class="row skeleton" aria-hidden="true">
  <td class="opener"></td>${columns.map((key) => html`<td class=${`cell c-${key}`}><span class="bone"></span></td>`)}</tr>`,
  );

export function table(app) {
  const { order, widths } = layout(app.set);
  const { answer, loading } = app;
  const spare = flexible(order);
  const atLeast = (key) => (key === spare ? (widths[key] ?? Math.min(SPARE, widthOf(widths, key))) : widthOf(widths, key));
  const total = order.reduce((sum, key) => sum + atLeast(key), OPENER);
  const room = document.querySelector(".scroller")?.clientWidth ?? 0;
  const shown = (key) => atLeast(key) + (key === spare ? Math.max(0, room - total) : 0);
  return html`<p class="unseen" id="head-keys">${texts.columns.order}</p><div class="scroller" tabindex="-1">
    <table id="activities" class=${`activities set-${app.set} ${loading && answer ? "stale" : ""}`}
      aria-busy=${loading ? "true" : "false"}
      .style=${`--table-width:${total}px`}>
      <caption class="unseen">${answer ? texts.table.caption(answer.page.total) : texts.table.caption0}</caption>
      <colgroup><col class="opener" />${order.map((key) => html`<col
        .style=${key === spare ? "" : `width:${widthOf(widths, key)}px`} />`)}</colgroup>
      <thead><tr><th class="opener" scope="col"><span class="unseen">${texts.heads.open}</span></th>${order.map((key) => head(app, key, Math.round(shown(key))))}</tr></thead>
      <tbody>${
        answer
          ? repeat(
              answer.activities,
              (activity) => activity.id,
              (activity) => row(app, activity, order),
            )
          : skeleton(order, app.size)
      }</tbody>
    </table>
  </div>`;
}
