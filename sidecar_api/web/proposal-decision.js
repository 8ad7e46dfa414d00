// Deciding: the dialog that shows what one says yes or no to, and records the answer.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { icon } from "./icons.js";
import { plain, sentences, word } from "./words.js";
import { parameters } from "./proposal-params.js";
import { agentName, impactBadge, leftToDecide, nameOf, person, span, texts } from "./proposal-words.js";

const C = texts.decide,
  D = texts.detail;
const PERMISSION = "agent:approve";

export function mayDecide(app, proposal) {
  const organization = app.me?.organizations?.find((one) => one.id === proposal.organization?.id);
  return organization?.permissions?.includes(PERMISSION) ?? false;
}

export function decideButtons(app, proposal) {
  const { decide } = proposal;
  if (!(decide ? decide.permitted && decide.open : mayDecide(app, proposal) && leftToDecide(proposal) > 0)) return nothing;
  const name = nameOf(proposal);
  const button = (outcome, sign, kind) =>
    html`<button type="button" class=${`button ${kind}`} data-decide=${outcome} aria-haspopup="dialog" aria-label=${C.button[outcome](name)}
      @click=${() => begin(app, proposal, outcome)}>${icon(sign)}${outcome === "approved" ? C.approve : C.deny}…</button>`;
  return html`<p class="deciding">${button("approved", "check", "primary")}${button("denied", "ban", "")}</p>`;
}

const path = (proposal, more = "") => `/api/v1/proposals/${encodeURIComponent(proposal.id)}${more}`;
const where = (proposal) => new URLSearchParams(proposal.organization?.id ? { organization: proposal.organization.id } : {});

/** Reads the proposal as it is now, and asks what to say of that. */
async function begin(app, known, outcome) {
  const lens = app.lenses.proposals;
  try {
    const proposal = await ask(path(known), { query: where(known) });
    if (proposal.decide && !(proposal.decide.permitted && proposal.decide.open)) {
      app.announce(`${C.closed}. ${proposal.decide.closed ?? ""}`);
      return void lens?.decided(known.id, proposal);
    }
    dialog(app, proposal, outcome);
  } catch (problem) {
    if (problem.status === 401) return void app.toLogin();
    dialog(app, known, outcome, problem);
  }
}

function dialog(app, proposal, outcome, problem = null) {
  const before = document.activeElement;
  const element = document.createElement("dialog");
  element.id = "decide";
  element.setAttribute("aria-labelledby", "decide-title");
  document.body.append(element);
  const name = nameOf(proposal);
  const yes = outcome === "approved";
  const typed = (yes && proposal.decide?.confirmation) || "";
  const state = { sending: false, problem, matches: !typed };
  const close = () => element.close();
  element.addEventListener("close", () => {
    element.remove();
    const again = document.querySelector(`[data-chain="${CSS.escape(proposal.id)}"] :is(.toggle-chain, [data-decide])`);
    (before?.isConnected ? before : (again ?? document.querySelector("#main")))?.focus();
  });
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    if (state.sending || !state.matches) return;
    Object.assign(state, { sending: true, problem: null });
    draw();
    const body = { outcome, ...(form.reason.value.trim() ? { reason: form.reason.value.trim() } : {}) };
    if (yes && form.scope) body.scope = form.scope.value;
    if (yes) body.seen = { entry: proposal.proposed?.entry, digest: proposal.proposed?.digest };
    if (typed) body.confirmation = form.confirmation.value;
    try {
      const answer = await ask(path(proposal, "/decision"), { method: "POST", query: where(proposal), body });
      close();
      app.announce(C.done[outcome]);
      app.lenses.proposals?.decided(proposal.id, answer);
    } catch (problem) {
      if (problem.status === 401) return void app.toLogin();
      Object.assign(state, { sending: false, problem });
      draw();
      if (problem.status === 409) app.lenses.proposals?.decided(proposal.id, null);
    }
  };
  const draw = () => render(body(app, proposal, { outcome, name, yes, typed, state, close, submit, draw }), element);
  draw();
  element.showModal();
}

function body(app, proposal, { outcome, name, yes, typed, state, close, submit, draw }) {
  const level = proposal.impact?.level ?? "caution";
  const left = leftToDecide(proposal.decide?.until ? { expires_at: proposal.decide.until } : proposal);
  const own = proposal.decide?.second_person;
  const conflict = proposal.decide?.conflict;
  const row = (label, value) => (value === nothing || value === "" ? nothing : html`<div><dt>${label}</dt><dd>${value}</dd></div>`);
  return html`<form @submit=${submit}><h2 id="decide-title">${C.titles[outcome](name)}</h2>
    <p class="impact-said">${impactBadge(proposal.impact?.level)} ${C.impacts[level] ?? ""}</p>
    <dl>${row(D.agent, proposal.agent ? word(agentName(proposal.agent)) : "")}${row(D.asked, person(proposal.initiator))}
    ${row(D.why, proposal.rationale ? word(proposal.rationale, { limit: 500 }) : "")}${left === Infinity ? nothing : row(C.timeLeft, span(Math.max(0, Math.floor(left / 1000)) * 1000))}</dl>
    <h3>${C.params}</h3><div class="decide-params" tabindex="0" role="region" aria-label=${C.params}>${parameters(proposal)}</div>
    <p class="quiet">${yes ? C.runs : C.denies}</p>${yes && own ? html`<p class="note warn">${icon("users")}<span>${C.own}</span></p>` : nothing}${yes && conflict ? html`<p class="note warn">${icon("circle-x")}<span>${C.conflict}</span></p>` : nothing}
    ${
      typed
        ? html`<label class="typed"><span>${C.confirm(plain(typed, 1024))}</span><input name="confirmation" maxlength="1024" autocomplete="off" spellcheck="false" autocapitalize="off" required autofocus
          @input=${(event) => {
            state.matches = event.target.value.trim() === typed;
            draw();
          }} /></label>`
        : nothing
    }
    <label>${C.reason}<input name="reason" maxlength="1000" autocomplete="off" ?autofocus=${!typed} /></label>
    ${
      yes && proposal.decide?.standing
        ? html`<label>${C.scope}<select name="scope">${Object.entries(D.scopes).map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>`
        : nothing
    }
    ${state.problem ? html`<p class="problem bad" role="alert">${icon("circle-x")}<span>${sentences(C.failed, state.problem.document?.detail ?? state.problem.message, state.problem.document?.hint)}</span></p>` : nothing}
    <p class="choices"><button type="button" class="button" @click=${close}>${C.keep}</button>
    <button type="submit" class=${`button ${yes ? (level === "destructive" ? "danger" : "primary") : ""}`} ?disabled=${state.sending || !state.matches || (yes && (own || conflict))}>${icon(yes ? "check" : "ban")}<span>${state.sending ? `${C.sending}…` : C.button[outcome](name)}</span></button></p></form>`;
}
