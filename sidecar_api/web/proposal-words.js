// The words of AI Activity: texts, verdicts, states, persons, spans of time.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { labelOf } from "./filters.js";
import { icon, impactLook } from "./icons.js";
import { humanize, ownOnly, personName } from "./reading.js";
import { exact } from "./time.js";
import { texts as shared } from "./texts.js";
import { pick, plain, word } from "./words.js";
import { texts } from "./proposal-texts.js";

/** verdict -> [icon, tone, label], in the order of activity_center/agents/verdicts.yml. */
const VERDICTS = {
  executed_without_approval: ["shield-alert", "bad", "Executed without approval"],
  parameters_drifted: ["equal-not", "bad", "Parameters drifted"],
  executed_twice: ["copy", "bad", "Executed twice on one approval"],
  decided_after_expiry: ["clock-alert", "bad", "Decided after expiry"],
  approver_lacked_permission: ["user-x", "bad", "Approver lacked the permission"],
  approved_by_initiator: ["user", "bad", "Approved by the initiator"],
  standing_approval_on_destructive: ["repeat", "bad", "Standing approval on a destructive tool"],
  confirmation_missing: ["keyboard", "bad", "Confirmation missing"],
  approved_too_fast: ["zap", "bad", "Approved faster than it can be read"],
  unknown: ["circle-help", "calm", "Unknown"],
  not_bound: ["circle-help", "warn", "Ran, but cannot be compared"],
  failed_as_approved: ["circle-x", "warn", "Failed, as approved"],
  executed_as_approved: ["shield-check", "good", "Executed as approved"],
  denied: ["ban", "calm", "Denied"],
  cancelled: ["ban", "calm", "Cancelled"],
  expired: ["clock", "calm", "Expired"],
  approved: ["check", "info", "Approved, not yet run"],
  pending: ["hourglass", "warn", "Waiting for a decision"],
};
/** cause of a verdict -> [icon, tone], where it is not that of the verdict. */
const CAUSES = { no_approval: ["play", "info"], rights_untold: ["circle-help", "warn"] };
export const VERDICT_NAMES = Object.keys(VERDICTS);
export const VIOLATIONS = VERDICT_NAMES.slice(0, VERDICT_NAMES.indexOf("unknown"));
export const verdictLabel = (name, given) => given || pick(VERDICTS, name)?.[2] || humanize(name);

const MOMENT = /\d{4}-\d\d-\d\dT[\d:.]+Z/;
/** What was seen of a case; the one time that stands in it is shown as all times are. */
export const seen = ({ kind, text = "" }, zone) => (kind === "decided_after_expiry" ? text.replace(MOMENT, (iso) => exact(iso, zone)) : text);

export const STATES = ["proposed", "approved", "denied", "edited", "expired", "cancelled", "executing", "completed", "failed"];
export const stateLabel = (name) =>
  (name === "edited" ? labelOf("decision", name) : pick(shared.values.stage, name)) ?? humanize(name);

/** The badge that every proposal begins with: whether it did what somebody allowed. */
export function verdictBadge(judgement) {
  const { verdict, cause, label, violation } = judgement ?? {};
  const [sign, tone] = pick(CAUSES, cause) ?? pick(VERDICTS, verdict) ?? [violation ? "triangle-alert" : "circle-help", violation ? "bad" : "calm"];
  return html`<span class=${`badge verdict ${violation ? "bad" : tone}`}>${icon(sign)}${word(verdictLabel(verdict, label))}</span>`;
}
export const verdictLook = (verdict, cause) => pick(CAUSES, cause) ?? pick(VERDICTS, verdict) ?? ["circle-help", "calm"];

export function impactBadge(level) {
  if (!level) return nothing;
  const [sign, tone] = impactLook(level);
  return html`<span class=${`badge ${tone}`}>${icon(sign)}${level === "unrated" ? texts.oversight.unrated : (labelOf("impact", level) ?? word(humanize(level)))}</span>`;
}

/** "0.8 s", "47 s", "3 min 12 s", "2 h 05 min", "4 d 3 h" */
export function span(milliseconds) {
  const ms = Math.max(0, Number(milliseconds) || 0);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1).replace(".0", "")} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const percent = (share) =>
  share === null || share === undefined ? "–" : `${(Math.round(share * 1000) / 10).toLocaleString("en")} %`;

const clocks = new Map();
/** "14:01:49", with the day where it is another than `beside`; exact on hover. */
export function at(iso, zone, { beside = null } = {}) {
  if (!iso) return nothing;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return word(iso);
  if (!clocks.has(zone)) {
    const options = zone === "utc" ? { timeZone: "UTC" } : {};
    clocks.set(zone, [
      new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...options }),
      new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", ...options }),
    ]);
  }
  const [clock, day] = clocks.get(zone);
  const other = beside && day.format(date) !== day.format(new Date(beside));
  return html`<time datetime=${iso} data-tip=${exact(iso, zone)}>${other ? `${day.format(date)}, ` : ""}${clock.format(date)}</time>`;
}

export const between = (from, to) => (from && to ? Date.parse(to) - Date.parse(from) : null);

/** A person by name, with what else is known of them on hover. */
export function person(found, { limit = 80 } = {}) {
  const name = personName(found);
  if (!name) return nothing;
  const tip = [found.full_name && found.name !== found.full_name ? found.name : "", found.email, found.id].filter(Boolean).join(" · ");
  return html`<span data-tip=${plain(tip, 300) || nothing}>${word(name, { limit })}</span>`;
}
export const samePerson = (a, b) =>
  Boolean(
    (a?.id && a.id === b?.id) || (a?.name && a.name === b?.name) || (a?.email && a.email.toLowerCase() === b?.email?.toLowerCase()),
  );

export const agentName = (agent) => agent?.name || agent?.id || "";
export const toolName = (proposal) => proposal.tool?.name || proposal.action || proposal.id;
export const targetName = (proposal) => proposal.target?.name || proposal.target?.id || "";
/** The thing in words, for names that a screen reader speaks. */
export const nameOf = (proposal) =>
  plain([toolName(proposal), targetName(proposal)].filter(Boolean).join(` ${texts.on} `), 160);

/** Whether its policy lets it run without anybody's approval. */
export const needsNone = (proposal) => proposal.judgement?.cause === "no_approval";
export const isOpen = (proposal) => proposal.state === "proposed" && !(proposal.decisions ?? []).length && !needsNone(proposal);

/** Why a reader may see less than all that is proposed here, as a sentence; "" where they see it all. */
export const partly = ({ me, place }) => plain(ownOnly(me, place), 400);
/** The same above what is shown. */
export function partlyNote(app) {
  const own = partly(app);
  return own ? html`<p class="note" id="own-only">${icon("info")}<span>${own}</span></p>` : nothing;
}
export const leftToDecide = (proposal, now = Date.now()) =>
  proposal.expires_at ? Date.parse(proposal.expires_at) - now : Infinity;
