// One proposal in a list: its verdict, what it was about, and its four stations.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { whenAndWhose } from "./filters.js";
import { icon } from "./icons.js";
import { agentOf, caseOf, proposalOf, within } from "./place.js";
import { personName } from "./reading.js";
import { exact, relative } from "./time.js";
import { plain, word } from "./words.js";
import { decideButtons } from "./proposal-decision.js";
import { texts } from "./proposal-texts.js";
import {
  agentName,
  at,
  between,
  impactBadge,
  isOpen,
  leftToDecide,
  nameOf,
  needsNone,
  person,
  seen,
  span,
  stateLabel,
  targetName,
  toolName,
  verdictBadge,
  verdictLabel,
} from "./proposal-words.js";

const S = texts.stations;
const quote = (text, limit = 80) => html`“${word(text, { limit })}”`;

/** The decision that counts: the last one, an expiry only where there is no other. */
export function decisionOf(proposal) {
  const all = proposal.decisions ?? [];
  return all.filter((one) => one.outcome !== "expired").at(-1) ?? all.at(-1) ?? null;
}
const isYes = (decision) => ["approved", "edited", "auto_approved"].includes(decision?.outcome);

function proposedStation(proposal) {
  if (!proposal.proposed) return { sign: "circle-help", tone: "warn", title: S.unknownProposal, lines: [S.unknownProposalHint] };
  const agent = agentName(proposal.agent);
  const asked = personName(proposal.initiator);
  return {
    sign: "message-square-text",
    tone: "agent",
    title: S.proposed,
    time: proposal.proposed_at,
    lines: [
      agent ? html`${word(agent, { limit: 60 })}${proposal.agent.version ? html` ${word(proposal.agent.version, { limit: 40 })}` : nothing}` : "",
      asked ? html`${S.asked} ${person(proposal.initiator)}` : "",
    ],
  };
}

/** How one knows who decided: in words, since colour alone says nothing. */
export function authority(decision) {
  if (!decision.approver) return "";
  if (!decision.authenticated) return html`<span class="warn">${icon("triangle-alert")}${S.unauthenticated}</span>`;
  return html`<span>${decision.mfa ? S.mfa : S.authenticated}</span>`;
}

/** What is wrong with how it was decided, and with what ran. */
const DECIDED_WRONG = ["decided_after_expiry", "approver_lacked_permission", "approved_by_initiator", "standing_approval_on_destructive", "confirmation_missing", "approved_too_fast"];
const RAN_WRONG = { executed_without_approval: S.unallowed, parameters_drifted: S.differs, executed_twice: S.oneYes };
const kindsOf = ({ judgement }) => new Set([judgement?.verdict, ...(judgement?.findings ?? []).map((one) => one.kind)]);

/** Nobody has to decide. */
function notNeeded(proposal) {
  const policy = proposal.judgement?.policy ?? proposal.policy;
  return { sign: "circle-dashed", tone: "calm", title: S.notNeeded, lines: [policy?.id ? html`${S.byPolicy} ${word(policy.id, { limit: 60 })}` : ""] };
}

function decidedStation(proposal, now) {
  const decision = decisionOf(proposal);
  const kinds = kindsOf(proposal);
  if (!decision) {
    if (proposal.executions?.length) {
      if (kinds.has("executed_without_approval")) return { sign: "circle-slash", tone: "bad", title: S.undecided, lines: [S.undecidedHint] };
      return notNeeded(proposal);
    }
    const left = leftToDecide(proposal, now);
    if (needsNone(proposal)) return notNeeded(proposal);
    return { sign: "hourglass", tone: "warn", title: S.waiting, lines: [left === Infinity ? "" : left > 0 ? S.until(span(Math.floor(left / 1000) * 1000)) : S.over] };
  }
  const { outcome } = decision;
  const yes = isYes(decision);
  const more = proposal.decisions.length - 1;
  const wrong = DECIDED_WRONG.find((kind) => kinds.has(kind));
  const rule = outcome === "auto_approved";
  return {
    sign: wrong ? "triangle-alert" : yes ? "check" : outcome === "expired" ? "clock" : "ban",
    tone: wrong ? "bad" : yes ? "good" : "warn",
    title: rule ? `${stateLabel("approved")} ${S.byRule}` : stateLabel(outcome),
    time: decision.at,
    wait: decision.wait_ms,
    lines: [
      decision.approver ? html`${person(decision.approver)}, ${authority(decision)}` : "",
      decision.confirmation ? html`${S.typed} ${quote(decision.confirmation)}` : "",
      decision.reason && outcome !== "expired" ? quote(decision.reason, 120) : "",
      wrong ? html`<span class="bad">${verdictLabel(wrong, proposal.judgement.findings?.find((one) => one.kind === wrong)?.label)}</span>` : "",
      more ? html`<span class="quiet">${S.others(more)}</span>` : "",
    ],
  };
}

function executedStation(proposal) {
  const runs = proposal.executions ?? [];
  const decision = decisionOf(proposal);
  if (!runs.length) return { sign: "circle-dashed", tone: "off", title: S.notExecuted, lines: [decision && !isYes(decision) ? S.nothingRan : S.notYet] };
  const kinds = kindsOf(proposal);
  const wrong = Object.keys(RAN_WRONG).filter((kind) => kinds.has(kind));
  const twice = runs.length > 1;
  const [first] = runs;
  return {
    sign: wrong.length ? "triangle-alert" : "play",
    tone: wrong.length ? "bad" : "good",
    title: twice ? S.times(runs.length) : first.state === "executing" ? S.executing : S.executed,
    time: first.started ?? first.ended,
    wait: between(decision?.at, first.started),
    lines: [...wrong.map((kind) => html`<span class="bad">${RAN_WRONG[kind]}</span>`), wrong.length || kinds.has("not_bound") || !isYes(decision) || !first.digest ? "" : S.same],
  };
}

const firstLine = (value) => {
  const text = typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value);
  return text.split("\n").find((one) => one.trim()) ?? "";
};

function resultStation(proposal) {
  const runs = proposal.executions ?? [];
  const last = runs.at(-1);
  if (!last) return { sign: "circle-dashed", tone: "off", title: S.noneNeeded, lines: [] };
  if (last.state === "executing") return { sign: "circle-dashed", tone: "off", title: S.noResult, lines: [] };
  const failed = last.state === "failed";
  const took = between(last.started, last.ended);
  return {
    sign: failed ? "x" : "check",
    tone: failed ? "bad" : "good",
    title: failed ? S.failed : S.completed,
    time: last.ended,
    wait: null,
    took,
    lines: [took !== null ? S.took(span(took)) : "", word(firstLine(failed ? last.error : last.output), { limit: 120 })],
  };
}

const said = (line) => line !== "" && line !== nothing && line !== null && line !== undefined;

/** The chain as four stations, with the waits between them. */
export function stations(proposal, zone, now = Date.now()) {
  const all = [proposedStation(proposal), decidedStation(proposal, now), executedStation(proposal), resultStation(proposal)];
  return html`<ol class="stations" aria-label=${S.label}>${all.map(
    (one) => html`<li class=${`station ${one.tone}`}>
      <span class="sign" aria-hidden="true">${icon(one.sign)}</span>${
        one.wait !== null && one.wait !== undefined ? html`<span class="wait">${S.wait(span(one.wait))}</span>` : nothing
      }<strong>${one.title}</strong>
      ${one.time ? html`<span class="when">${at(one.time, zone, { beside: proposal.proposed_at })}</span>` : nothing}
      ${one.lines.filter(said).map((line) => html`<span class="line-of">${line}</span>`)}</li>`,
  )}</ol>`;
}

/** The line that says all: verdict, tool and target, impact, when, which case. */
export function headline(app, proposal, { heading, title, here = false }) {
  const { zone } = app;
  const when = proposal.proposed_at ?? proposal.decided_at ?? proposal.started_at ?? proposal.ended_at;
  const on = targetName(proposal);
  const named = html`<span class="tool">${word(toolName(proposal), { limit: 80 })}</span>${on ? html` <span class="quiet">${texts.on}</span> <span class="target">${word(on, { limit: 80 })}</span>` : nothing}`;
  return html`<div class="headline">${verdictBadge(proposal.judgement)}${heading(title ? title(named) : named)}${impactBadge(proposal.impact?.level)}
    <span class="spring"></span><span class="facts"><span class="by">${byline(app, proposal)}</span>${when ? html`<time datetime=${when} data-tip=${exact(when, zone)}>${relative(when)}</time>` : nothing}${
      proposal.case && !here ? html`<a class="case" href=${caseOf(proposal.case)} data-tip=${plain(proposal.case)}>${texts.case(plain(proposal.case, 16).replace(/^case_/, ""))}</a>` : nothing
    }</span></div>`;
}

/** Who: the agent, and the person behind it. */
function byline(app, proposal) {
  const agent = agentName(proposal.agent);
  return html`<span class="agent">${icon("bot")}${
    proposal.agent?.id || agent
      ? html`<a href=${within(agentOf(proposal.agent.id || agent), whenAndWhose(app.place.filters))} data-tip=${plain(agent)}>${word(agent, { limit: 40 })}</a>`
      : texts.source
  }</span>`;
}

/** A row of the list; opened, it shows `detail`. Without `toggle` it leads to the proposal's own page. */
export function card(app, proposal, { open = false, toggle = null, detail = null }) {
  const title = (named) =>
    !toggle
      ? html`<a class="titled" href=${proposalOf(proposal.id)} data-stop>${named}</a>`
      : html`<button type="button" class="toggle-chain" data-stop aria-expanded=${open ? "true" : "false"} aria-controls=${open ? `chain-${proposal.id}` : nothing}
      @click=${toggle}>${icon("chevron-right")}<span>${named}</span></button>`;
  const violation = proposal.judgement?.violation;
  return html`<article class=${`chain ${toggle ? "" : "still"} ${violation ? "violation" : ""} ${open ? "open" : ""}`} aria-label=${nameOf(proposal)} @click=${(event) => {
    if (!toggle || event.target.closest("a, button, summary, input, details, .chain-detail") || String(window.getSelection())) return;
    toggle();
  }}>
    ${headline(app, proposal, { heading: (named) => html`<h3>${named}</h3>`, title })}
    ${violation && !open ? html`<p class="explained">${word(firstText(proposal, app.zone), { limit: 240 })}</p>` : nothing}
    ${stations(proposal, app.zone)}
    ${isOpen(proposal) ? decideButtons(app, proposal) : nothing}
    ${open ? html`<div class="chain-detail" id=${`chain-${proposal.id}`}>${detail(proposal)}</div>` : nothing}</article>`;
}

/** Why it needs a look, in a line. */
export const firstText = ({ judgement }, zone) => seen(judgement.findings?.[0] ?? {}, zone) || judgement.explanation || "";

export function bones(n = 4) {
  return html`<ul class="chains bones" aria-hidden="true">${Array.from({ length: n }, () => html`<li><div class="chain skeleton"><span class="bone"></span><span class="bone"></span><span class="bone short"></span></div></li>`)}</ul>`;
}
