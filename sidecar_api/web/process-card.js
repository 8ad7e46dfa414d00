// A process as a card: steps, the last output of the running one, the whole error of a failed one.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { organization } from "./columns.js";
import { exact } from "./time.js";
import { icon } from "./icons.js";
import { caseOf, processOf } from "./place.js";
import { typeLabel } from "./reading.js";
import { long, plain, safeUrl, word } from "./words.js";
import { buttons } from "./process-controls.js";
import {
  badges,
  channelIcon,
  channelLabel,
  isOpen,
  look,
  standing,
  starter,
  stateName,
  tellsOrganization,
  texts,
  took,
  uncoloured,
} from "./process-words.js";

const LAST_LINES = 3;

export const nameOf = (process) => process.name || process.target?.name || process.id;

export function target(process) {
  const { target: on } = process;
  const label = on?.name || on?.id;
  if (!label) return nothing;
  const url = on.url ? safeUrl(on.url) : null;
  const kind = on.type ? html`${word(typeLabel(on.type))} ` : nothing;
  return html`${kind}${url ? html`<a href=${url} target="_blank" rel="noopener noreferrer">${word(label, { limit: 120 })}</a>` : word(label, { limit: 120 })}`;
}

function facts(app, process) {
  const parts = [
    process.organization?.id && tellsOrganization(app, process) ? organization(process.organization) : nothing,
    html`${word(channelLabel(process.channel))}`,
    target(process),
    process.server && process.server.name !== process.target?.name
      ? html`${texts.on} ${word(process.server.name, { limit: 80 })}`
      : nothing,
    process.cloud_account ? html`${word(process.cloud_account.name, { limit: 80 })}` : nothing,
    process.initiator ? html`${texts.by} ${starter(process)}` : nothing,
    process.attempt > 1 ? html`${texts.attempt(process.attempt)}` : nothing,
  ].filter((part) => part !== nothing);
  return html`<p class="facts">${parts.map((part, i) => html`${i ? html`<span aria-hidden="true"> · </span>` : nothing}<span>${part}</span>`)}</p>`;
}

/** Its error, where no failed step tells it. */
export const orphan = (process) => (process.steps?.some((step) => step.state === "failed") ? nothing : failure(process.error));

export function failure(error) {
  if (!error) return nothing;
  const about = [error.type, error.code].filter(Boolean).join(" · ");
  const trace = String(error.stack_trace ?? "");
  return html`<div class="fault">${about ? html`<p class="mono kind-of-fault">${word(about)}</p>` : nothing}
    <div class="said mono" tabindex="0" role="group" aria-label=${texts.error}>${long(uncoloured(error.message), { limit: 4000 })}</div>
    ${error.whole === false ? html`<p>${texts.cut}</p>` : nothing}
    ${trace ? html`<details><summary>${texts.trace(trace.split("\n").length)}</summary><div class="said mono" tabindex="0" role="group" aria-label=${texts.trace(trace.split("\n").length)}>${long(uncoloured(trace), { limit: 20000 })}</div></details>` : nothing}</div>`;
}

function lastLines(process, step) {
  const { lines = [], total = 0 } = process.output ?? {};
  if (!lines.length && !total) return nothing;
  const own = lines.filter((line) => line.step === step.id);
  const text = (own.length ? own : lines).map((line) => uncoloured(line.text).replace(/\n$/, "")).join("\n");
  const shown = text.split("\n").slice(-LAST_LINES);
  return html`<div class="tail mono" role="group" aria-label=${texts.lastLines(plain(step.name))}>${shown.map((line) => html`<div>${word(line, { limit: 400 })}</div>`)}</div>`;
}

export function steps(process, zone, { output = true } = {}) {
  if (!process.steps?.length) return nothing;
  const failed = process.steps.some((step) => step.state === "failed" && step.error);
  return html`<ol class="steps" aria-label=${texts.steps}>${process.steps.map((step) => {
    const running = step.state === "running" && isOpen(process);
    // The end of a process ends its steps, also where its program did not come to say so.
    const state = step.state !== "running" || running ? (running && process.stalled ? "stalled" : step.state) : "broken_off";
    const [sign, tone] = look(state);
    return html`<li class=${`step ${state} ${tone}`} aria-current=${running ? "step" : nothing}>
      <span class="sign">${icon(sign)}</span><span class="step-name"><span class="unseen">${texts.step(stateName(state))}</span>${word(step.name || step.id)}${
        running && step.progress ? html` <span class="kind">${Math.round(step.progress * 100)} %</span>` : nothing
      }${state === "skipped" || state === "cancelled" || state === "broken_off" ? html` <span class="kind">${stateName(state).toLowerCase()}</span>` : nothing}</span>${took(step, zone, running && !process.past)}
      ${running && output ? lastLines(process, step) : nothing}
      ${step.state === "failed" ? failure(step.error ?? (failed ? null : process.error)) : nothing}</li>`;
  })}</ol>`;
}

export function progressBar(process) {
  const value = process.state === "done" ? 1 : Math.min(1, Math.max(0, Number(process.progress) || 0));
  return html`<progress class=${look(standing(process))[1]} max="1" value=${value} aria-label=${texts.progress(plain(nameOf(process)))}></progress>`;
}

/** Requests that still matter: open ones, the newest of each kind to this attempt, and the newest. */
export function requests(process, zone, { all = false } = {}) {
  const listed = (process.requests ?? []).filter(
    (one, i, list) =>
      all ||
      one.state === "requested" ||
      one.state === "taken" ||
      i === list.length - 1 ||
      ((one.attempt ?? process.attempt) >= process.attempt && !list.slice(i + 1).some((other) => other.kind === one.kind)),
  );
  if (!listed.length) return nothing;
  const signs = { requested: "hourglass", taken: "loader-circle", done: "check", failed: "circle-x", expired: "clock" };
  return html`<ul class="requests" aria-label=${texts.requests.label}>${listed.map((one) => {
    const say = texts.requests[one.state]?.[one.kind];
    const by = one.by?.name || one.by?.id;
    const bad = one.state === "failed" || one.state === "expired";
    return say
      ? html`<li class=${bad ? "bad" : "calm"}>${icon(signs[one.state])}<span>${say(by ? texts.requests.by(plain(by, 80)) : "")}${
          one.state === "requested" && one.expires_at
            ? html`, ${texts.requests.until} <time datetime=${one.expires_at} data-tip=${exact(one.expires_at, zone)}>${exact(one.expires_at, zone).split(", ")[1]?.replace(/\.\d+.*/, "")}</time>`
            : nothing
        }${one.reason ? html` · ${word(one.reason)}` : nothing}${one.answer ? html` · ${word(one.answer)}` : nothing}</span></li>`
      : nothing;
  })}</ul>`;
}

/** What was undone, what is left behind, what needs a person. */
export function receipt(process) {
  const { receipt: left } = process;
  const R = texts.receipt;
  if (!left)
    return process.state === "failed" || process.state === "cancelled"
      ? html`<section class="receipt" aria-label=${R.title}><h3>${R.title}</h3><p class="quiet">${R.unsaid}</p></section>`
      : nothing;
  const groups = [
    ["needs_person", "hand", "warn"],
    ["left_behind", "package", "warn"],
    ["undone", "undo-2", "calm"],
  ].filter(([name]) => left[name]?.length);
  // Only what was said to be nothing is told as nothing: a list that is missing was not said.
  const none = ["left_behind", "needs_person"].filter((name) => left[name] && !left[name].length);
  const unsaid = !left.left_behind && !left.needs_person;
  return html`<section class="receipt" aria-label=${R.title}><h3>${R.title}</h3>${
    none.length ? html`<p>${icon("check")} ${R.nothing[none.length === 2 ? "both" : none[0]]}</p>` : nothing
  }${unsaid ? html`<p class="quiet">${R.unsaid}</p>` : nothing}
    ${groups.map(([name, sign, tone]) => html`<div><h4 class=${tone}>${icon(sign)}${R[name]}</h4><ul>${left[name].map((one) => html`<li>${word(one, { limit: 1024 })}</li>`)}</ul></div>`)}</section>`;
}

export function stalledNote(process, zone) {
  if (!process.stalled || process.cleaned) return nothing;
  // What was asked meanwhile, and that it stalled, is newer: neither is of whoever runs it.
  const at = process.lease ?? process.updated;
  return html`<p class="note warn">${icon("hourglass")}<span>${texts.stalled(at ? exact(at, zone).replace(/\.\d+/, "") : "–")}</span></p>`;
}

export function card(app, process, { compact = false } = {}) {
  const zone = app.zone;
  const state = standing(process);
  const running = isOpen(process) && !process.stalled;
  const name = nameOf(process);
  return html`<article class=${`process ${look(state)[1]} ${compact ? "compact" : ""}`} aria-label=${plain(name)}>
    <header><h3>${icon(channelIcon(process.channel))}<a href=${processOf(process.id, process.organization?.id)} data-process=${process.id}>${word(name, { limit: 200 })}</a></h3>
      <span class="standing">${running && state === "running" ? took(process, zone, true) : html`${process.ended ? took(process, zone) : nothing}${badges(process)}`}</span></header>
    ${facts(app, process)}${progressBar(process)}
    ${compact ? nothing : html`${stalledNote(process, zone)}${steps(process, zone)}`}
    ${orphan(process)}
    ${requests(process, zone)}${receipt(process)}
    <footer>${buttons(app, process)}<span class="spring"></span>${
      process.case ? html`<a href=${caseOf(process.case)}>${texts.case}${icon("arrow-right")}</a>` : nothing
    }${process.output?.total || process.output?.lines?.length ? html`<a href=${`${processOf(process.id, process.organization?.id)}#output`}>${texts.wholeOutput}</a>` : nothing}</footer></article>`;
}

