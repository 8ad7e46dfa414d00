// Cancel, retry, clean up: offered where the process declares them, named before they are done.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { NONE } from "./filters.js";
import { icon } from "./icons.js";
import { plain, sentences, word } from "./words.js";
import { keyOf } from "./process-stream.js";
import { texts } from "./process-words.js";

const C = texts.controls;
const SIGNS = { cancel: "ban", retry: "rotate-ccw", cleanup: "eraser" };

const pending = new Map(); // "key kind attempt" -> {key, sending, problem}
const wishOf = (process, kind) => `${keyOf(process)} ${kind} ${process.attempt}`;
const isAsked = (one) => one.state === "requested" || one.state === "taken";

function mayControl(app, process) {
  const organization = app.me?.organizations?.find((one) => one.id === process.organization?.id);
  if (organization) return organization.permissions?.includes("process:control") ?? false;
  // An organization that no list knows: a role of the platform may reach it; the API decides.
  return Boolean(app.me?.reader?.platform_roles?.length);
}

export function offered(app, process) {
  if (!mayControl(app, process)) return [];
  const open = (process.requests ?? []).filter(isAsked);
  return ["retry", "cancel", "cleanup"].filter(
    (kind) => (process.controls ?? []).includes(kind) && !open.some((one) => one.kind === kind),
  );
}

const effect = (process, kind) => process.effects?.[kind] || C.unsaid[kind];

/** What came by the stream was heard, also where its answer was lost: the next one is another wish. */
function forgetHeard(process) {
  for (const { kind } of (process.requests ?? []).filter(isAsked))
    if (!pending.get(wishOf(process, kind))?.sending) pending.delete(wishOf(process, kind));
}

export function buttons(app, process) {
  forgetHeard(process);
  const kinds = offered(app, process);
  const problem = kinds.map((kind) => pending.get(wishOf(process, kind))).find((one) => one?.problem);
  return html`${kinds.map((kind) => {
    const busy = pending.get(wishOf(process, kind))?.sending;
    return html`<button type="button" class=${`button control ${kind === "retry" ? "primary" : kind === "cancel" ? "danger" : ""}`}
      data-control=${kind} ?disabled=${busy} aria-label=${`${C.names[kind]} ${plain(process.name || process.id)}`}
      data-tip=${plain(effect(process, kind), 400)}
      @click=${() => (kind === "retry" ? send(app, process, kind) : confirm(app, process, kind))}>${icon(SIGNS[kind])}${busy ? `${C.sending}…` : C.names[kind]}</button>`;
  })}${kinds.length === 1 ? html`<span class="effect quiet">${word(effect(process, kinds[0]), { limit: 160 })}</span>` : nothing}${
    problem
      ? html`<p class="problem bad" role="alert">${icon("circle-x")}<span>${sentences(C.failed(C.names[problem.kind]), problem.problem.document?.detail ?? problem.problem.message, problem.problem.document?.hint)}</span></p>`
      : nothing
  }`;
}

function fresh() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send(app, process, kind, reason) {
  const id = wishOf(process, kind);
  const wish = pending.get(id) ?? { kind, key: fresh() };
  if (wish.sending) return;
  pending.set(id, { ...wish, sending: true, problem: null });
  app.lenses.processes.redraw(keyOf(process));
  try {
    const answer = await ask(`/api/v1/processes/${encodeURIComponent(process.id)}/${kind}`, {
      method: "POST",
      query: new URLSearchParams(process.organization ? { organization: process.organization.id || NONE } : {}),
      headers: { "Idempotency-Key": wish.key },
      body: reason ? { reason } : {},
    });
    pending.delete(id);
    app.lenses.processes.asked(process, answer.request);
  } catch (problem) {
    if (problem.status === 401) return void app.toLogin();
    // No answer: the same wish may be sent again. A refusal: the next one is another.
    const again = problem.status === 0 || problem.status >= 500;
    pending.set(id, { kind, key: again ? wish.key : fresh(), problem });
  }
  app.lenses.processes.redraw(keyOf(process));
}

/** The dialog before a control that destroys: which thing, what it does, what was done so far. */
function confirm(app, process, kind) {
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.id = "confirm";
  dialog.setAttribute("aria-labelledby", "confirm-title");
  document.body.append(dialog);
  const name = process.name || process.id;
  const done = (process.steps ?? []).filter((step) => step.state === "done");
  const on = process.target?.name || process.target?.id;
  const close = () => dialog.close();
  dialog.addEventListener("close", () => {
    dialog.remove();
    (before?.isConnected ? before : document.querySelector(`[data-process="${CSS.escape(process.id)}"]`))?.focus();
  });
  render(
    html`<form @submit=${(event) => {
      event.preventDefault();
      const reason = event.target.reason.value.trim();
      close();
      send(app, process, kind, reason);
    }}><h2 id="confirm-title">${C.ask[kind](plain(name, 200))}</h2>
      <dl><div><dt>${C.will}</dt><dd class="effect">${word(effect(process, kind), { limit: 1024 })}</dd></div>
      ${on && on !== name ? html`<div><dt>${C.target}</dt><dd>${word(on, { limit: 200 })}</dd></div>` : nothing}
      <div><dt>${C.done}</dt><dd>${done.length ? html`<ul>${done.map((step) => html`<li>${icon("check")} ${word(step.name || step.id)}</li>`)}</ul>` : C.nothingDone}</dd></div></dl>
      <label>${C.reason}<input name="reason" maxlength="1000" autocomplete="off" /></label>
      <p class="choices"><button type="button" class="button" autofocus @click=${close}>${C.keep[kind]}</button>
      <button type="submit" class="button danger">${icon(SIGNS[kind])}<span>${C.names[kind]} ${word(name, { limit: 60 })}</span></button></p></form>`,
    dialog,
  );
  dialog.showModal();
}
