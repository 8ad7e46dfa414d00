// An opened row: who and where, what changed, what an agent proposed and ran, everything.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { badge, organization, personFilter, resource, source, unproven } from "./columns.js";
import { labelOf } from "./filters.js";
import { icon, impactLook } from "./icons.js";
import { caseOf, proposalOf } from "./place.js";
import * as reading from "./reading.js";
import { duration, exact } from "./time.js";
import { json, long, pick, word } from "./words.js";

const D = texts.details;
const present = (value) => value !== null && value !== undefined && value !== "";

const list = (rows) =>
  html`<dl>${rows
    .filter(([, value]) => present(value) && value !== nothing)
    .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

const mono = (value) =>
  present(value) ? html`<span class="mono">${long(value, { limit: 160 })}</span>` : nothing;
const text = (value) => (present(value) ? long(value, { limit: 240 }) : nothing);

function person(found) {
  const name = reading.personName(found);
  if (!name) return nothing;
  return html`${word(name)}${found.email && found.email !== name ? html` · ${word(found.email)}` : nothing}${found.id && found.id !== name ? html` <span class="kind mono">${word(found.id)}</span>` : nothing}`;
}

function whoAndWhere(app, a) {
  const token = a.activity?.token,
    agent = a.gen_ai?.agent;
  const parent = reading.resource(a).parent;
  return list([
    [D.time, html`<time datetime=${a["@timestamp"]}>${exact(a["@timestamp"], app.zone)}</time>`],
    [D.actionName, html`${badge(a)} <span class="kind mono">${word(reading.actionName(a))}</span>`],
    [D.userName, person(a.user ?? {})],
    [
      D.agentName,
      agent
        ? html`${word(agent.name ?? agent.id)}${agent.version ? html` ${word(agent.version)}` : nothing}${a.gen_ai.request?.model ? html` · ${word(a.gen_ai.request.model)}` : nothing}`
        : nothing,
    ],
    [D.effective, person(a.user?.effective ?? {})],
    [D.target, person(a.user?.target ?? {})],
    [D.source, a.activity?.origin ? source(a) : nothing],
    [D.ip, mono(reading.address(a))],
    [
      D.browser,
      reading.browser(a)
        ? html`<span
      data-tip=${a.user_agent.original ?? nothing}>${word(reading.browser(a))}</span>`
        : nothing,
    ],
    [
      D.token,
      token
        ? html`${word(token.name ?? "")} <span class="kind mono">${word(token.id ?? "")}</span>`
        : nothing,
    ],
    [D.request, mono(a.http?.request?.id)],
    [D.resourceName, resource(a)],
    [D.resourceId, mono(reading.resource(a).id)],
    [
      D.parent,
      parent
        ? html`${word(parent.name ?? parent.id)} <span class="kind">${word(reading.typeLabel(parent.type))}</span>`
        : nothing,
    ],
    [D.organization, a.organization ? organization(a.organization) : nothing],
    [D.project, text(a.activity?.project)],
    [D.workspace, text(a.activity?.workspace)],
    [D.environment, text(a.activity?.environment)],
    [D.reason, text(a.event?.reason)],
    [D.message, text(a.message)],
  ]);
}

function changed(a) {
  const found = reading.changes(a);
  const error = a.error?.message;
  const failure =
    error && !a.activity?.execution?.error
      ? html`<section class="failure"><h4>${icon("circle-x")}${D.error}</h4>${a.error.code ? html`<div class="mono">${word(a.error.code)}</div>` : nothing}${long(error, { code: true })}${a.error.stack_trace ? html`<h4>${D.trace}</h4>${long(a.error.stack_trace, { code: true, limit: 200 })}` : nothing}</section>`
      : nothing;
  if (!found.length)
    return isAgentPart(a) || failure !== nothing
      ? failure
      : html`<h3>${D.changed}</h3><p class="quiet">${D.noChange}</p>`;
  const { old_value: before, new_value: after } = a.activity ?? {};
  const onlyNew = found.every((change) => !present(change.old)),
    onlyOld = found.every((change) => !present(change.new));
  const title =
    onlyNew && before === undefined
      ? D.created
      : onlyOld && after === undefined
        ? D.deleted
        : D.changedOf(found.length, Math.max(found.length, reading.fieldCount(a)));
  const side = (value, kind) =>
    html`<td class=${present(value) ? kind : "unset"}>${present(value) ? long(reading.asText(value), { code: true, limit: 240 }) : html`<span class="none">${texts.table.notSet}</span>`}</td>`;
  return html`<h3>${title}</h3>
    <table class="diff"><thead><tr><th scope="col">${D.field}</th>${title === D.created ? nothing : html`<th scope="col">${D.before}</th>`}${title === D.deleted ? nothing : html`<th scope="col">${D.after}</th>`}</tr></thead>
    <tbody>${found.slice(0, 200).map(
      (change) => html`<tr><th scope="row">${change.field ? word(change.field) : word("value")}</th>
      ${title === D.created ? nothing : side(change.old, "old")}${title === D.deleted ? nothing : side(change.new, "new")}</tr>`,
    )}</tbody></table>${failure}`;
}

const isAgentPart = ({ activity: own = {}, gen_ai: model }) =>
  Boolean(own.lens === "agent" || own.proposal || own.decision || own.execution || model?.tool);

function agent(app, a) {
  const own = a.activity ?? {},
    tool = a.gen_ai?.tool;
  if (!isAgentPart(a)) return nothing;
  const decided = reading.decision(a),
    { approver } = decided,
    output = own.execution?.output,
    error = own.execution?.error;
  const [sign, tone] = impactLook(own.impact?.level);
  const given = tool?.call?.arguments,
    returned = tool?.call?.result;
  const saving = own.recommendation?.saving;
  const same =
    own.initiator && approver && reading.personKey(own.initiator) === reading.personKey(approver);
  return html`<section class="agent-part"><h3>${D.agent}</h3>${list([
    [
      D.stage,
      own.proposal?.stage
        ? (pick(texts.values.stage, own.proposal.stage) ?? word(own.proposal.stage))
        : nothing,
    ],
    [D.tool, mono(tool?.name)],
    [D.arguments, given ? html`<pre class="code small">${json(given)}</pre>` : nothing],
    [D.rationale, text(own.proposal?.rationale)],
    [
      D.impact,
      own.impact?.level
        ? html`<span class=${`badge ${tone}`}>${icon(sign)}${labelOf("impact", own.impact.level) ?? word(own.impact.level)}</span>`
        : nothing,
    ],
    [
      D.saving,
      saving?.amount !== undefined
        ? html`${saving.amount} ${word(saving.currency ?? "")}${saving.period ? html` / ${word(saving.period)}` : nothing}`
        : nothing,
    ],
    [D.initiator, person(own.initiator ?? {})],
    [
      D.approver,
      approver
        ? html`${person(approver)}${reading.personName(approver) && !decided.proven ? html` ${unproven}` : nothing}${same ? html` <span class="kind">${D.sameApprover}</span>` : nothing}`
        : nothing,
    ],
    [
      D.decision,
      decided.outcome
        ? html`${labelOf("decision", decided.outcome) ?? word(decided.outcome)}${decided.wait_ms !== undefined ? html` ${D.waited(duration(decided.wait_ms))}` : nothing}${decided.mfa ? html`, ${D.mfa}` : nothing}`
        : nothing,
    ],
    [
      D.decidedAt,
      decided.at ? html`<time datetime=${decided.at}>${exact(decided.at, app.zone)}</time>` : nothing,
    ],
    [D.decisionReason, text(decided.reason)],
    [D.confirmation, mono(own.confirmation?.text)],
    [
      D.result,
      present(returned)
        ? html`<pre class="code small">${typeof returned === "string" ? word(returned) : json(returned)}</pre>`
        : nothing,
    ],
    [D.proposal, own.proposal?.id ? html`<a class="mono" href=${proposalOf(own.proposal.id)}>${word(own.proposal.id)}</a>` : nothing],
    [D.caseId, own.case?.id ? html`<a class="mono" href=${caseOf(own.case.id)}>${word(own.case.id)}</a>` : nothing],
  ])}
  ${output ? html`<h4>${D.output}</h4><div class="code">${long(output, { code: true, limit: 800 })}</div>` : nothing}
  ${error ? html`<section class="failure"><h4>${icon("circle-x")}${D.error}</h4>${long(error, { code: true, limit: 800 })}</section>` : nothing}</section>`;
}

function filterBy(app, a) {
  const found = reading.resource(a);
  const [whose, user] = personFilter(a, reading.personKey(reading.actor(a).person) ? reading.actor(a).person : a.user);
  const choices = [
    [D.user, whose, user],
    [D.resource, found.id ? "resource_id" : "resource_name", found.id ?? found.name],
    [D.address, "ip", reading.ip(a)],
    [D.case, "case", a.activity?.case?.id],
    [D.action, "action", reading.actionName(a)],
  ].filter(([, , value]) => present(value));
  return html`<div class="filter-by"><h4>${D.filterBy}</h4>${choices.map(
    ([label, name, value]) =>
      html`<button type="button" class="chip dashed"
        @click=${() => app.addFilter(name, String(value))}>${label}</button>`,
  )}</div>`;
}

/** Copy a text; `done` is what is announced then. */
export const copy = (...what) => import("./copying.js").then((module) => module.copy(...what));

export function details(app, a) {
  const raw = json(a);
  const shown = raw.length > 20000 ? `${raw.slice(0, 20000)}\n…` : raw;
  return html`<div class="details" role="region" aria-label=${D.label(reading.actionLabel(a))}>
    <section><h3>${D.who}</h3>${whoAndWhere(app, a)}${filterBy(app, a)}</section>
    <section>${agent(app, a)}<div class="changed">${changed(a)}</div></section>
    <section class="everything"><h3>${D.everything}<button type="button" class="link copy"
      @click=${(event) => copy(app, raw, event.currentTarget, D.copied)}>
      ${icon("copy", "before")}${icon("check", "after")}${D.copy}</button></h3>
      <pre class="code" tabindex="0" aria-label=${D.everything}>${shown}</pre></section>
  </div>`;
}
