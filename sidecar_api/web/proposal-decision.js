// Deciding: who is offered to, and the proposal as it is at that moment.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { icon } from "./icons.js";
import { texts } from "./proposal-texts.js";
import { leftToDecide, nameOf } from "./proposal-words.js";

const C = texts.decide;
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

/** The address of a proposal, and of what is done with it. */
export const path = (proposal, more = "") => `/api/v1/proposals/${encodeURIComponent(proposal.id)}${more}`;
export const where = (proposal) => new URLSearchParams(proposal.organization?.id ? { organization: proposal.organization.id } : {});

/** Reads the proposal as it is now, and asks what to say of that. */
async function begin(app, known, outcome) {
  const lens = app.lenses.proposals;
  const loaded = import("./proposal-dialog.js").catch(() => null);
  let [proposal, problem] = [known, null];
  try {
    proposal = await ask(path(known), { query: where(known) });
  } catch (error) {
    if (error.status === 401) return void app.toLogin();
    problem = error;
  }
  if (proposal.decide && !problem && !(proposal.decide.permitted && proposal.decide.open)) {
    app.announce(`${C.closed}. ${proposal.decide.closed ?? ""}`);
    return void lens?.decided(known.id, proposal);
  }
  const module = await loaded;
  if (!module) return void app.announce(C.unloaded);
  module.dialog(app, proposal, outcome, problem);
}
