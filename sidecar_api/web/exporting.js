// Export as the page shows it: what there is to choose, and how far one has come.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { icon } from "./icons.js";
import { question } from "./place.js";
import { lessIn } from "./reading.js";
import { plain, sentences } from "./words.js";

const X = texts.exporting;
const FORMATS = {
  csv: [X.csv, X.csvHint],
  ndjson: [X.ndjson, X.ndjsonHint],
  ocsf: [X.ocsf, X.ocsfHint],
};

const address = (app, format) => {
  const query = question(app.place);
  query.set("format", format);
  return `/api/v1/activities/export?${query}`;
};

const megabytes = (bytes) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** Fetch a file and save it; see saving.js, which comes when somebody exports. */
export async function run(app, href, how = {}) {
  const saving = await import("./saving.js");
  await saving.run(app, href, how);
}

/** Why the API refuses to export what a reader sees at a place, or "". */
export const refusal = (app, place) =>
  lessIn(app.me, place, ({ trail, permissions }) => (trail && !permissions.includes("org:audit:export") ? X.mayNot : ""));

/** What is offered instead, where the API refuses to export what is shown; `own` is the filter by which
 * readers are left with what is theirs. */
export function instead(app, own) {
  const { filters, ...place } = app.place;
  const { id } = app.me?.reader ?? {};
  const others = filters.filter(([name]) => name !== own);
  if (filters.length - others.length === 1 && filters.some(([name, value]) => name === own && value === id)) return null;
  const why = refusal(app, { filters, ...place });
  if (!why) return null;
  const choose = () => {
    app.closeMenu();
    app.setFilters([...others, [own, id]]);
  };
  return html`<p class="note" id="may-not-export">${icon("lock")}<span>${plain(why, 400)}</span></p>
    <ul class="options"><li><button type="button" class="option" @click=${choose}>${icon("user")}${X.own}</button></li></ul>`;
}

export function menu(app) {
  const refused = instead(app, "actor");
  if (refused) return html`<h3>${X.title}</h3>${refused}`;
  return html`<h3>${X.title}</h3><ul class="options">${Object.entries(FORMATS).map(
    ([format, [label, hint]]) => html`<li><button type="button" class="option"
    @click=${() => run(app, address(app, format))}>
    ${icon("download")}<span>${label} <span class="kind">${hint}</span></span></button></li>`,
  )}</ul><p class="quiet">${X.times}</p>`;
}

function toast(app, job) {
  const dismiss = () => {
    app.jobs = app.jobs.filter((one) => one !== job);
    app.render();
  };
  const body = {
    running:
      () => html`<label>${X.progress} <progress max=${Math.max(1, job.total)} value=${job.rows}></progress></label>
      <span>${X.running(job.rows, job.total, megabytes(job.bytes))}</span><button type="button" class="button"
        @click=${() => job.stop.abort()}>${X.cancel}</button>`,
    done: () => html`${icon("circle-check")}<span>${X.saved(job.name)}. ${X.done(job.counted(job.rows))}</span>`,
    cancelled: () => html`${icon("info")}<span>${X.cancelled}</span>`,
    failed: () => html`${icon("circle-x")}<span>${sentences(X.failed, job.message)}</span>`,
  }[job.state]();
  return html`<aside class=${`toast ${job.state}`} aria-label=${X.progress}>${body}${
    job.state === "running"
      ? nothing
      : html`<button type="button" class="chip-drop" aria-label=${texts.filters.close}
      @click=${dismiss}>${icon("x")}</button>`
  }</aside>`;
}

/** How far each export has come, or how it ended. */
export const progress = (app) => (app.jobs.length ? html`<div class="toasts">${app.jobs.map((job) => toast(app, job))}</div>` : nothing);
