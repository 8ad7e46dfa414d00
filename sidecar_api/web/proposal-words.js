// The words of AI Activity: texts, verdicts, states, persons, spans of time.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { icon, impactLook } from "./icons.js";
import { humanize, personName } from "./reading.js";
import { exact } from "./time.js";
import { texts as shared } from "./texts.js";
import { pick, plain, word } from "./words.js";

const number = new Intl.NumberFormat("en");
const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
export const proposals = (n) => count(n, "proposal", "proposals");

export const texts = {
  search: "Search server or site",
  loaded: (n) => `${proposals(n)} found`,
  look: {
    title: "What nobody should miss",
    all: (n) => `Show all ${number.format(n)}`,
    none: "Nothing needs a look: what ran is what somebody allowed.",
  },
  list: { title: "All proposals, newest first" },
  fresh: (n) => count(n, "new proposal", "new proposals"),
  showFresh: (n) => `Show ${count(n, "new proposal", "new proposals")}`,
  on: "on",
  saving: (amount, currency, period) => `saves ${amount}${currency ? ` ${currency}` : ""}${period ? ` a ${period}` : ""}`,
  toggle: (what) => `Details of ${what}`,
  case: (id) => `case ${id}`,
  source: "AI Pilot",
  stations: {
    label: "Proposed, decided, executed, result",
    proposed: "Proposed",
    unknownProposal: "No proposal",
    unknownProposalHint: "nothing on record",
    asked: "asked by",
    waiting: "Waiting for a decision",
    until: (span) => `${span} left to decide`,
    over: "time to decide is over",
    undecided: "Not decided",
    notNeeded: "No approval needed",
    byPolicy: "by policy",
    undecidedHint: "nobody said yes or no",
    notExecuted: "Not executed",
    nothingRan: "nothing ran",
    notYet: "nothing ran yet",
    executing: "Executing",
    executed: "Executed",
    times: (n) => `Executed ${n} times`,
    same: "same as approved",
    oneYes: "on one approval",
    differs: "differs from what was approved",
    unallowed: "nobody allowed it",
    noResult: "No result yet",
    noResultEver: "No result on record",
    noResultHint: "the result was not reported",
    noneNeeded: "No result",
    completed: "Completed",
    failed: "Failed",
    took: (span) => `took ${span}`,
    wait: (span) => `${span} later`,
    typed: "typed",
    byRule: "by rule",
    authenticated: "authenticated",
    unauthenticated: "not authenticated",
    mfa: "second factor",
    others: (n) => `and ${count(n, "more decision", "more decisions")}`,
  },
  detail: {
    verdict: "Verdict",
    todo: "What to do",
    also: "Also",
    policy: "Judged by policy",
    version: (name) => `version ${name}`,
    compare: "What was approved beside what ran",
    approvedOnly: "What was approved",
    proposedOnly: "What was proposed",
    ranOnly: "What ran",
    field: "Parameter",
    proposed: "Proposed",
    approved: "Approved",
    ran: "Ran",
    runs: (n) => `Run ${n}`,
    mark: "Difference",
    marks: { changed: "changed", added: "added", removed: "left out", secret: "another secret" },
    same: "same",
    notSet: "not set",
    noParameters: "No parameters.",
    moreRows: (n) => `${count(n, "more parameter", "more parameters")} in the entries`,
    secret: "hidden, compared by its keyed digest",
    digest: "Digest",
    digestSame: "The digest of what ran is the digest of what was approved.",
    digestDiffers: "The digest of what ran is another than that of what was approved.",
    tool: "Tool",
    target: "Target",
    targetType: "type of the target",
    targetId: "id of the target",
    parameters: "parameters",
    impact: "Impact",
    impactBy: (source) => `rated by ${source}`,
    action: "Action",
    agent: "Agent",
    source: "Source",
    model: "Model",
    asked: "Asked by",
    decided: "Decided by",
    decisions: "Who said yes or no",
    decision: (n, of) => `Decision ${n} of ${of}`,
    outcome: "Decision",
    when: "When",
    after: (span) => `after ${span}`,
    same_person: "same person as who asked",
    how: "How",
    roles: "Roles then",
    confirmation: "Typed to confirm",
    reason: "Reason given",
    scope: "Reaches",
    scopes: { once: "this once", session: "the whole session", always: "always, a standing approval" },
    sources: { user: "a person", policy: "a policy", hook: "a hook", config: "the configuration", timeout: "the time limit" },
    by: (source) => `by ${source}`,
    auth: { yes: "Authenticated session", no: "Not authenticated: only the sender says who it was", mfa: "with a second factor", noMfa: "without a second factor" },
    why: "Why",
    expires: "To be decided by",
    saving: "Saving",
    what: "What it is about",
    output: "Output",
    error: "Error",
    noOutput: "It returned nothing.",
    run: (n, of) => `Run ${n} of ${of}`,
    record: "On record",
    case: "The whole case",
    page: "On a page of its own",
    entries: (n) => count(n, "entry", "entries"),
    entry: (n) => `entry ${n}`,
    evidence: "Evidence",
    evidenceOf: (format) => `Evidence as ${format}`,
    copy: "Copy link",
    copied: "Link copied",
    organization: "Organization",
    incomplete: "Not all of this chain is on record: an entry is late, or missing, or past its retention.",
    id: "Proposal",
    call: "Tool call",
    conversation: "Conversation",
    whole_text: "Show all of it",
  },
  decide: {
    approve: "Approve",
    deny: "Deny",
    titles: { approved: (what) => `Approve ${what}?`, denied: (what) => `Deny ${what}?` },
    button: { approved: (what) => `Approve ${what}`, denied: (what) => `Deny ${what}` },
    impacts: {
      destructive: "What it does may not be undone.",
      caution: "Look at the parameters before it runs.",
      safe: "It changes nothing that matters.",
    },
    denies: "Nothing will run. The agent is told, with your reason.",
    runs: "The agent runs exactly this. Anything else is shown as drifted.",
    reason: "Reason (kept in the record)",
    scope: "Reaches",
    confirm: (text) => `Type ${text} to confirm`,
    keep: "Not now",
    sending: "Recording the decision",
    failed: "The decision was not recorded",
    done: { approved: "Approved and recorded", denied: "Denied and recorded" },
    own: "You asked for this yourself: the policy asks for a second person.",
    conflict: "Different things were proposed under this id, so it cannot be approved. Deny it, and let the agent propose anew.",
    loading: "Reading the proposal as it is now",
    closed: "Nothing can be decided any more",
    timeLeft: "Time left",
    params: "Parameters",
    noParams: "It takes no parameters.",
  },
  agents: {
    title: "AI agents",
    caption: (n) => `${count(n, "agent", "agents")}`,
    loaded: (n) => `${count(n, "agent", "agents")} found`,
    heads: { name: "Agent", model: "Model", proposals: "Proposals", approval: "Approved", decision: "Time to decision", failure: "Failed", violation: "Violations", last: "Last seen" },
    back: "All agents",
    record: "Record",
    counts: "Proposals",
    approval: "approved of what was decided",
    decision: "median time to decision",
    p95: (span) => `95 % within ${span}`,
    failure: "of what ran failed",
    violation: "violations",
    by: { impact: "By impact", verdict: "By verdict", tool: "By tool", state: "By state" },
    latest: "Latest proposals",
    every: "All proposals of this agent",
    nameless: "an agent without a name",
    counted: (n, of) => `Counted over the newest ${number.format(n)} of ${number.format(of)} proposals.`,
    none: "This agent has proposed nothing in what you may see",
    empty: "No agent has proposed anything yet",
    emptyHint: "As soon as an AI agent proposes something, it shows up here.",
    unknown: "There is no such agent",
    unknownHint: "It does not exist, or you may not see what it does.",
    never: "–",
  },
  one: {
    back: "AI activity",
    none: "There is no such proposal",
    noneHint: "It does not exist, or it is past its retention, or you may not see it.",
  },
  cases: {
    back: "AI activity",
    title: (id) => `Case ${id}`,
    label: "The story in order",
    sub: (n, from, to) => `${count(n, "entry", "entries")}, from ${from} to ${to}`,
    none: "There is no such case",
    noneHint: "It does not exist, or it is past its retention, or you may not see it.",
    proposals: "Proposals",
    processes: "Processes of this case",
    openProcess: "Open the process",
    openProposal: "Open the proposal",
    entry: "Open the entry",
    later: (span) => `${span} later`,
    cut: "This is the beginning of the story: it goes on in the entries.",
  },
  summary: {
    proposals: (when) => `proposals${when ? `, ${when}` : ""}`,
    approved: "approved of what was decided",
    decision: "median time to decision",
    look: "need a look",
    ok: "nothing needs a look",
  },
  empty: {
    title: "No proposal fits",
    all: "No AI agent has proposed anything yet",
    allHint: "What an agent proposes, who says yes and what then runs stands here as soon as it happens.",
    drop: (name) => `Remove ${name}`,
    clear: "Clear all filters",
    hint: "Drop a filter:",
  },
  evidence: {
    button: "Evidence",
    csv: "CSV",
    csvHint: "one proposal a line, for spreadsheets",
    ndjson: "NDJSON",
    ndjsonHint: "every entry whole, with a manifest",
    note: "With a manifest that says whether the file is whole. The export itself is recorded.",
  },
  filters: {
    state: "State",
    result: "Result",
    verdict: "Verdict",
    impact: "Impact",
    agent: "Agent",
    tool: "Tool",
    action: "Action type",
    target: "Server or site",
    initiator: "Asked by",
    approver: "Decided by",
    organization: "Organization",
    source: "Source",
    case: "Case",
  },
  ranges: { "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" },
  about: "About ",
  judged: {
    showing: (n) => `${proposals(n)} so far`,
    looked: (n, of) => (n < of ? `Looked at ${number.format(n)} of ${proposals(of)}` : `Looked at all ${proposals(of)}`),
    further: "Look further back",
    newest: "Newest",
  },
  violations: "Needs a look",
};

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
export const VERDICT_NAMES = Object.keys(VERDICTS);
export const VIOLATIONS = VERDICT_NAMES.slice(0, VERDICT_NAMES.indexOf("unknown"));
export const verdictLabel = (name, given) => given || pick(VERDICTS, name)?.[2] || humanize(name);

export const STATES = ["proposed", "approved", "denied", "edited", "expired", "cancelled", "executing", "completed", "failed"];
export const stateLabel = (name) =>
  name === "edited" ? shared.values.decision.edited : (pick(shared.values.stage, name) ?? humanize(name));

/** How many of an agent's proposals are violations. */
export const violationsOf = (record) =>
  Object.entries(record.verdicts ?? {}).reduce((sum, [key, n]) => sum + (VIOLATIONS.includes(key) ? n : 0), 0);

/** The badge that every proposal begins with: whether it did what somebody allowed. */
export function verdictBadge(judgement) {
  const { verdict, label, violation } = judgement ?? {};
  const [sign, tone] = pick(VERDICTS, verdict) ?? [violation ? "triangle-alert" : "circle-help", violation ? "bad" : "calm"];
  return html`<span class=${`badge verdict ${violation ? "bad" : tone}`}>${icon(sign)}${word(verdictLabel(verdict, label))}</span>`;
}
export const verdictLook = (verdict) => pick(VERDICTS, verdict) ?? ["circle-help", "calm"];

export function impactBadge(level) {
  if (!level) return nothing;
  const [sign, tone] = impactLook(level);
  return html`<span class=${`badge ${tone}`}>${icon(sign)}${pick(shared.values.impact, level) ?? word(humanize(level))}</span>`;
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

export const isOpen = (proposal) => proposal.state === "proposed" && !(proposal.decisions ?? []).length;
export const leftToDecide = (proposal, now = Date.now()) =>
  proposal.expires_at ? Date.parse(proposal.expires_at) - now : Infinity;
