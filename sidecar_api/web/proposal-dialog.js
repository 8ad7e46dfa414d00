// The dialog of a decision: what one says yes or no to, with changes where one makes some; it records the answer.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { icon } from "./icons.js";
import { json, plain, sentences, word } from "./words.js";
import { path, where } from "./proposal-decision.js";
import { changed, parameters } from "./proposal-params.js";
import { texts } from "./proposal-texts.js";
import { agentName, impactBadge, leftToDecide, nameOf, person, span } from "./proposal-words.js";

const C = texts.decide,
  D = texts.detail,
  E = C.edit;
/** What the collector puts in place of a secret. */
const REDACTED = "[redacted]";

/** Whether a value holds what a browser would send as something else: a number, or a hidden secret. */
function holds(value, what) {
  if (value !== null && typeof value === "object") return Object.values(value).some((inner) => holds(inner, what));
  return what(value);
}
const isInexact = (value) => typeof value === "number" && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)));
const isHidden = (value) => typeof value === "string" && value.includes(REDACTED);

/** Why the parameters cannot be changed here; empty: they can. */
function fixed(proposal) {
  const known = proposal.proposed?.arguments;
  if (!known) return E.unknown;
  if (proposal.partial) return E.partial;
  // So the API names what was too deep or too long for its field: where it stood is not to be told any more.
  if (Object.keys(known).some((key) => key.includes("."))) return E.dotted;
  if (holds(known, isHidden)) return E.hidden;
  return holds(known, isInexact) ? E.inexact : "";
}

/** What a text says: {value} or {wrong}, in a sentence. */
function read(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { wrong: sentences(E.wrong, plain(error.message, 200)) };
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return { wrong: E.noObject };
  return holds(value, isInexact) ? { wrong: E.inexact } : { value };
}

export function dialog(app, proposal, outcome, problem = null) {
  const before = document.activeElement;
  const element = document.createElement("dialog");
  element.id = "decide";
  element.setAttribute("aria-labelledby", "decide-title");
  document.body.append(element);
  const name = nameOf(proposal);
  const yes = outcome === "approved";
  const typed = (yes && proposal.decide?.confirmation) || "";
  // text: the parameters as they are being changed; null: approved as they are.
  const state = { sending: false, problem, matches: !typed, text: null };
  const close = () => element.close();
  element.addEventListener("close", () => {
    element.remove();
    const again = document.querySelector(`[data-chain="${CSS.escape(proposal.id)}"] :is(.toggle-chain, [data-decide])`);
    (before?.isConnected ? before : (again ?? document.querySelector("#main")))?.focus();
  });
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const edit = edited(proposal, state);
    if (state.sending || !state.matches || (edit && !edit.ready)) return;
    Object.assign(state, { sending: true, problem: null });
    draw();
    const said = edit ? "edited" : outcome;
    const body = { outcome: said, ...(form.reason.value.trim() ? { reason: form.reason.value.trim() } : {}) };
    if (edit) body.arguments = edit.value;
    if (yes && form.scope) body.scope = form.scope.value;
    if (yes) body.seen = { entry: proposal.proposed?.entry, digest: proposal.proposed?.digest };
    if (typed) body.confirmation = form.confirmation.value;
    try {
      const answer = await ask(path(proposal, "/decision"), { method: "POST", query: where(proposal), body });
      close();
      app.announce(C.done[said]);
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

/** What is being changed: {wrong, value, changes, ready}; null where nothing is. */
function edited(proposal, { text }) {
  if (text === null) return null;
  const found = read(text);
  if (found.wrong) return found;
  const changes = changed(proposal.proposed.arguments, found.value);
  return { ...found, changes, ready: changes.count > 0 };
}

/** The parameters: as they are, or as a text that one changes, with what that changes. */
function params(proposal, { yes, state, draw }, edit) {
  const turn = (text, focus) => {
    state.text = text;
    draw();
    document.querySelector(`#decide ${focus}`)?.focus();
  };
  const why = yes && fixed(proposal);
  if (!edit)
    return html`<h3>${C.params}</h3><div class="decide-params" tabindex="0" role="region" aria-label=${C.params}>${parameters(proposal)}</div>
    ${
      yes
        ? html`<p class="change">${
            why
              ? html`<span class="quiet">${why}</span>`
              : html`<button type="button" class="link" id="change" @click=${() => turn(json(proposal.proposed.arguments), "[name=arguments]")}>${icon("pencil")}${E.begin}</button>`
          }</p>`
        : nothing
    }`;
  return html`<label>${E.label}<textarea name="arguments" rows="8" spellcheck="false" autocomplete="off" autocapitalize="off" aria-invalid=${edit.wrong ? "true" : "false"} aria-describedby="edit-said"
      .value=${state.text} @input=${(event) => {
        state.text = event.target.value;
        draw();
      }}></textarea></label>
    <p id="edit-said" role="status" class=${edit.wrong ? "problem bad" : "quiet"}>${edit.wrong ? html`${icon("circle-x")}<span>${edit.wrong}</span>` : E.changes(edit.changes.count)}</p>
    ${edit.ready ? html`<div class="decide-params" tabindex="0" role="region" aria-label=${E.difference}>${edit.changes.table}</div>` : nothing}
    <p class="change"><button type="button" class="link" @click=${() => turn(null, "#change")}>${icon("undo-2")}${E.end}</button></p>`;
}

function body(app, proposal, parts) {
  const { outcome, name, yes, typed, state, close, submit, draw } = parts;
  const edit = edited(proposal, state);
  const said = edit ? "edited" : outcome;
  const level = proposal.impact?.level ?? "caution";
  const left = leftToDecide(proposal.decide?.until ? { expires_at: proposal.decide.until } : proposal);
  const own = proposal.decide?.second_person;
  const conflict = proposal.decide?.conflict;
  const row = (label, value) => (value === nothing || value === "" ? nothing : html`<div><dt>${label}</dt><dd>${value}</dd></div>`);
  return html`<form @submit=${submit}><h2 id="decide-title">${C.titles[outcome](name)}</h2>
    <p class="impact-said">${impactBadge(proposal.impact?.level)} ${C.impacts[level] ?? ""}</p>
    <dl>${row(D.agent, proposal.agent ? word(agentName(proposal.agent)) : "")}${row(D.asked, person(proposal.initiator))}
    ${row(D.why, proposal.rationale ? word(proposal.rationale, { limit: 500 }) : "")}${left === Infinity ? nothing : row(C.timeLeft, span(Math.max(0, Math.floor(left / 1000)) * 1000))}</dl>
    ${params(proposal, parts, edit)}
    <p class="quiet">${edit ? E.runs : yes ? C.runs : C.denies}</p>${yes && own ? html`<p class="note warn">${icon("users")}<span>${C.own}</span></p>` : nothing}${yes && conflict ? html`<p class="note warn">${icon("circle-x")}<span>${C.conflict}</span></p>` : nothing}
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
    <button type="submit" class=${`button ${yes ? (level === "destructive" ? "danger" : "primary") : ""}`} ?disabled=${state.sending || !state.matches || (edit && !edit.ready) || (yes && (own || conflict))}>${icon(edit ? "pencil" : yes ? "check" : "ban")}<span>${state.sending ? `${C.sending}…` : C.button[said](name)}</span></button></p></form>`;
}
