// Activities over time; a range is chosen by dragging or by keys.

import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { without } from "./filters.js";
import { clock, day, ends, length, short } from "./time.js";

const HEIGHT = 44,
  H = texts.histogram;
let chosen = null; // [first, last] bucket, while a range is being chosen
let anchor = 0;

const endOf = (data, i) =>
  data.buckets[i + 1]?.at ??
  data.to ??
  new Date(Date.parse(data.buckets[i].at) + length(data.interval)).toISOString();

function show(app, data) {
  if (!chosen) return;
  const [first, last] = chosen;
  chosen = null;
  app.setFilters([
    ...without(app.place.filters, "when"),
    ["from", data.buckets[first].at],
    ["to", endOf(data, last)],
  ]);
}

function pointer(app, data, event) {
  const box = event.currentTarget.getBoundingClientRect();
  const at = (moved) =>
    Math.min(
      data.buckets.length - 1,
      Math.max(0, Math.floor(((moved.clientX - box.left) / box.width) * data.buckets.length)),
    );
  if (event.button !== 0) return;
  const target = event.currentTarget;
  target.setPointerCapture(event.pointerId);
  anchor = at(event);
  chosen = [anchor, anchor];
  const follow = (moved) => {
    chosen = [Math.min(anchor, at(moved)), Math.max(anchor, at(moved))];
    app.render();
  };
  target.addEventListener("pointermove", follow);
  target.addEventListener(
    "lostpointercapture",
    () => {
      target.removeEventListener("pointermove", follow);
      show(app, data);
      app.render();
    },
    { once: true },
  );
  app.render();
}

function keys(app, data, event) {
  const last = data.buckets.length - 1;
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[
    event.key
  ];
  if (by !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    const from = chosen ?? [last, last];
    const edge = from[0] === anchor && from[1] !== anchor ? from[1] : from[0];
    const to = Math.min(last, Math.max(0, (chosen ? edge : last + (by < 0 ? 1 : 0)) + by));
    if (!event.shiftKey || !chosen) anchor = to;
    chosen = [Math.min(anchor, to), Math.max(anchor, to)];
    app.render();
  } else if (event.key === "Enter" && chosen) {
    event.preventDefault();
    event.stopPropagation();
    show(app, data);
  } else if (event.key === "Escape" && chosen) {
    event.stopPropagation();
    chosen = null;
    app.render();
  }
}

export const failures = (data) => data?.buckets?.reduce((sum, bucket) => sum + (bucket.failed ?? 0), 0) ?? 0;

export function histogram(app) {
  const data = app.answer?.histogram;
  if (!app.answer && app.loading) return html`<div class="histogram bones" aria-hidden="true"></div>`;
  const n = data?.buckets?.length ?? 0;
  if (!n) return nothing;
  if (chosen && chosen[1] >= n) chosen = null;
  const most = Math.max(1, ...data.buckets.map((bucket) => bucket.count));
  const span =
    length(data.interval) >= 86400000 ||
    Date.parse(data.buckets[n - 1].at) - Date.parse(data.buckets[0].at) > 86400000 * 1.5;
  const near = length(data.interval) < 60000;
  const at = (i) => data.buckets[i]?.at;
  const label = (i, before) => (span ? day(at(i), app.zone, at(before)) : clock(at(i), app.zone, near));
  const bar = (bucket) => H.bar(short(bucket.at, app.zone, near), bucket.count, bucket.failed);
  const [first, last] = chosen ?? [n - 1, n - 1];
  const sum = data.buckets.slice(first, last + 1).reduce((total, bucket) => total + bucket.count, 0);
  const spoken =
    first === last
      ? bar(data.buckets[first])
      : H.range(...ends(at(first), endOf(data, last), app.zone), sum);
  const step = Math.ceil(n / 8);
  const ticks = data.buckets.map((_, i) => i).filter((i) => i % step === 0 && i <= n * 0.95);
  return html`<div class="histogram">
    <div class="brush" role="slider" tabindex="0" aria-label=${H.label} aria-valuemin="0" aria-valuemax=${n - 1}
      aria-valuenow=${first} aria-valuetext=${spoken}
      @pointerdown=${(event) => pointer(app, data, event)} @keydown=${(event) => keys(app, data, event)}
        @blur=${() => {
          if (chosen) {
            chosen = null;
            app.render();
          }
        }}>
      <svg class="bars" viewBox=${`0 0 ${n} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        ${chosen ? svg`<rect class="chosen" x=${first} y="0" width=${last - first + 1} height=${HEIGHT}></rect>` : nothing}
        ${data.buckets.map((bucket, i) => {
          // However small, a bar that failed in part shows both.
          const mixed = bucket.failed && bucket.failed < bucket.count;
          const tall = bucket.count ? Math.max(mixed ? 4 : 2, (bucket.count / most) * (HEIGHT - 2)) : 0;
          const bad = bucket.failed ? Math.max(1, (bucket.failed / bucket.count) * tall) : 0;
          const gap = mixed && tall - bad >= 2 ? 1 : 0;
          return svg`<rect class="hit" x=${i} y="0" width="1" height=${HEIGHT}
            data-tip=${bar(bucket)}></rect>
            <rect class="bar" x=${i + 0.1} y=${HEIGHT - tall} width="0.8" height=${tall - bad - gap} transform=${bad ? `translate(0 ${bad + gap})` : ""}></rect>
            ${bad ? svg`<rect class="bar failed" x=${i + 0.1} y=${HEIGHT - tall} width="0.8" height=${bad}></rect>` : nothing}`;
        })}
      </svg></div>
    <div class="ticks" aria-hidden="true">${ticks.map(
      (i) => html`<span
      .style=${`left:${(i / n) * 100}%`}>${label(i, i - step)}</span>`,
    )}</div>
    ${!chosen && failures(data) ? html`<span class="legend" aria-hidden="true">${H.failed}</span>` : nothing}
    ${chosen ? html`<output class="chosen-text">${spoken}</output>` : nothing}
  </div>`;
}
