// An opened proposal: the verdict with its reasons, what was approved beside what ran, who, the record.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { organization } from "./columns.js";
import { copy } from "./details.js";
import { texts as shared } from "./texts.js";
import { refusal, run } from "./exporting.js";
import { labelOf, whenAndWhose } from "./filters.js";
import { icon, resourceIcon, sourceIcon } from "./icons.js";
import { agentOf, caseOf, proposalOf, within } from "./place.js";
import { actionLabelOf, personKey, personName, typeLabel } from "./reading.js";
import { exact } from "./time.js";
import { json, long, pick, plain, safeUrl, word } from "./words.js";
import { compare } from "./proposal-params.js";
import { proposals, texts } from "./proposal-texts.js";
import { agentName, impactBadge, samePerson, seen, span, stateLabel, verdictLabel, verdictLook } from "./proposal-words.js";

const D = texts.detail;
const present = (value) => value !== null && value !== undefined && value !== "" && value !== nothing;
const list = (rows) =>
  html`<dl>${rows.filter(([, value]) => present(value)).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
const mono = (value) => (present(value) ? html`<span class="mono">${long(value, { limit: 160 })}</span>` : nothing);
const time = (iso, zone) => (iso ? html`<time datetime=${iso}>${exact(iso, zone)}</time>` : nothing);

/** Where the entries of the chain are read whole, one of them open. */
export function entriesOf(proposal, open = "") {
  const query = new URLSearchParams(proposal.case ? { case: proposal.case } : proposal.tool?.name ? { tool: proposal.tool.name } : {});
  const times = [proposal.proposed_at, proposal.decided_at, proposal.started_at, proposal.ended_at].filter(Boolean).sort();
  if (!proposal.case && times.length) {
    query.set("from", times[0]);
    query.set("to", new Date(Date.parse(times.at(-1)) + 1000).toISOString());
  }
  if (open) query.set("open", open);
  return `/ai/entries?${query}`;
}

function entryLinks(proposal, ids) {
  const order = new Map((proposal.entries ?? []).map((id, i) => [id, i + 1]));
  if (!ids?.length) return nothing;
  return html`<span class="evidence-of">${ids.slice(0, 8).map((id) => html`<a href=${entriesOf(proposal, id)} data-tip=${plain(id)}>${D.entry(order.get(id) ?? "?")}</a> `)}</span>`;
}

/** The answer: did it do what somebody allowed, why one says so, what to do. */
export function verdict(proposal, zone) {
  const judgement = proposal.judgement ?? {};
  const { verdict: name, cause, label, violation, explanation, what_to_do: todo, findings = [], policy } = judgement;
  const [sign, tone] = verdictLook(name, cause);
  const own = findings.find((one) => one.kind === name);
  const others = findings.filter((one) => one !== own);
  return html`<section class=${`verdict-box ${violation ? "bad" : tone}`} aria-label=${D.verdict}>
    <h4>${icon(sign)}${word(verdictLabel(name, label))}</h4>
    ${explanation ? html`<p>${word(explanation, { limit: 1000 })}</p>` : nothing}
    ${own?.text ? html`<p class="finding">${word(seen(own, zone), { limit: 1000 })} ${entryLinks(proposal, own.entries)}</p>` : nothing}
    ${todo ? html`<p class="todo"><strong>${D.todo}:</strong> ${word(todo, { limit: 1000 })}</p>` : nothing}
    ${
      others.length
        ? html`<h5>${D.also}</h5><ul class="findings">${others.map(
            (one) => html`<li>${icon(verdictLook(one.kind)[0])}<span><strong>${word(verdictLabel(one.kind, one.label))}.</strong> ${word(seen(one, zone), { limit: 600 })} ${entryLinks(proposal, one.entries)}</span></li>`,
          )}</ul>`
        : nothing
    }
    ${policy?.id ? html`<p class="quiet">${D.policy} <span class="mono">${word(policy.id)}</span>${policy.version ? html`, ${D.version(plain(policy.version, 20))}` : nothing}</p>` : nothing}
    ${proposal.complete === false ? html`<p class="quiet">${icon("info")} ${D.incomplete}</p>` : nothing}</section>`;
}

function decisions(app, proposal) {
  return (proposal.decisions ?? []).map((one, i, all) => {
    const same = samePerson(one.approver, proposal.initiator);
    const how = one.approver
      ? html`${one.authenticated ? D.auth.yes : D.auth.no}${one.auth_method ? html` (<span class="mono">${word(one.auth_method)}</span>)` : nothing}${one.mfa === true ? `, ${D.auth.mfa}` : one.authenticated && one.mfa === false ? `, ${D.auth.noMfa}` : ""}`
      : nothing;
    return html`<div class="decision-part">${all.length > 1 ? html`<h5>${D.decision(i + 1, all.length)}</h5>` : nothing}${list([
      [D.outcome, html`${stateLabel(one.outcome)}${one.source ? ` ${D.by(pick(D.sources, one.source) ?? one.source)}` : ""}`],
      [D.when, html`${time(one.at, app.zone)}${present(one.wait_ms) ? html`<span class="quiet">, ${D.after(span(one.wait_ms))}</span>` : nothing}`],
      [D.decided, one.approver ? html`${fullPerson(one.approver)}${same ? html` <span class="kind">${D.same_person}</span>` : nothing}` : nothing],
      [D.how, one.approver ? html`<span class=${one.authenticated ? "" : "warn"}>${one.authenticated ? nothing : icon("triangle-alert")} ${how}</span>` : nothing],
      [D.roles, one.approver?.roles?.length ? word(one.approver.roles.join(", ")) : nothing],
      [D.confirmation, one.confirmation ? html`<span class="mono typed-text">${word(one.confirmation, { limit: 1024 })}</span>` : nothing],
      [D.reason, one.reason ? long(one.reason, { limit: 300 }) : nothing],
      [D.scope, one.scope ? (pick(D.scopes, one.scope) ?? word(one.scope)) : nothing],
    ])}</div>`;
  });
}

export function fullPerson(found) {
  const name = personName(found);
  if (!name) return nothing;
  const more = [found.email, found.id].filter((one) => one && one !== name);
  return html`${word(name)}${more.map((one) => html` <span class="kind mono">${word(one, { limit: 120 })}</span>`)}`;
}

function target({ target: found }) {
  const name = found?.name || found?.id;
  if (!name) return nothing;
  const url = found.url ? safeUrl(found.url) : null;
  const label = html`${icon(resourceIcon(found.type))} ${word(name)}`;
  return html`${url ? html`<a href=${url} target="_blank" rel="noopener noreferrer">${label}<span class="unseen">, ${shared.table.newTab}</span></a>` : label}${found.type ? html` <span class="kind">${word(typeLabel(found.type))}</span>` : nothing}${found.id && found.id !== name ? html` <span class="kind mono">${word(found.id)}</span>` : nothing}`;
}

function what(app, proposal) {
  const { tool = {}, agent = {}, impact = {}, recommendation } = proposal;
  const saving = recommendation?.saving;
  const action = proposal.action;
  return list([
    [D.tool, tool.name ? html`<span class="mono">${word(tool.name)}</span>${tool.description ? html` <span class="kind">${word(tool.description, { limit: 200 })}</span>` : nothing}` : nothing],
    [D.target, target(proposal)],
    [D.action, action ? html`${actionLabelOf(action) ? html`${actionLabelOf(action)} ` : nothing}<span class="kind mono">${word(action)}</span>` : nothing],
    [D.impact, impact.level ? html`${impactBadge(impact.level)}${impact.source ? html` <span class="kind">${D.impactBy(plain(impact.source, 60))}</span>` : nothing}` : nothing],
    [D.agent, agentName(agent) ? html`<a href=${within(agentOf(agent.id || agent.name), whenAndWhose(app.place.filters))}>${word(agentName(agent))}</a>${agent.version ? html` ${word(agent.version)}` : nothing}` : nothing],
    [D.model, agent.model || agent.provider ? html`${word(agent.model ?? "")} <span class="kind">${word(agent.provider ?? "")}</span>` : nothing],
    [D.source, proposal.origin ? html`<span class=${proposal.origin === "agent" ? "badge agent" : "source"}>${icon(sourceIcon(proposal.origin))}${labelOf("source", proposal.origin) ?? word(proposal.origin)}</span>` : nothing],
    [D.asked, personKey(proposal.initiator) ? fullPerson(proposal.initiator) : nothing],
    [D.why, proposal.rationale ? long(proposal.rationale, { limit: 400 }) : nothing],
    [D.saving, saving?.amount !== undefined && saving?.amount !== null ? texts.saving(saving.amount, plain(saving.currency ?? "", 16), plain(saving.period ?? "", 32)) : nothing],
    [D.expires, time(proposal.expires_at, app.zone)],
    [D.organization, proposal.organization?.id ? organization(proposal.organization) : nothing],
    [D.id, mono(proposal.id)],
    [D.call, tool.call_id && !proposal.id.endsWith(tool.call_id) ? mono(tool.call_id) : nothing],
  ]);
}

function output(proposal) {
  const runs = proposal.executions ?? [];
  return runs.map((run, i) => {
    const said = typeof run.output === "string" ? run.output : present(run.output) ? json(run.output) : "";
    const head = runs.length > 1 ? html`<h5>${D.run(i + 1, runs.length)}</h5>` : nothing;
    return html`<section class="output-of">${head}${said ? html`<h4>${D.output}</h4><div class="code" tabindex="0" role="region" aria-label=${D.output}>${long(said, { code: true, limit: 2000 })}</div>` : nothing}
      ${run.error ? html`<section class="failure"><h4>${icon("circle-x")}${D.error}</h4>${long(run.error, { code: true, limit: 2000 })}</section>` : nothing}
      ${!said && !run.error && run.state !== "executing" ? html`<p class="quiet">${D.noOutput}</p>` : nothing}</section>`;
  });
}

const copyLink = (app, proposal, button) => copy(app, new URL(proposalOf(proposal.id), window.location.origin).href, button, D.copied);

function save(app, proposal, format) {
  const query = new URLSearchParams({ format, ...(proposal.organization?.id ? { organization: proposal.organization.id } : {}) });
  const href = `/api/v1/proposals/${encodeURIComponent(proposal.id)}/evidence?${query}`;
  const total = format === "csv" ? 1 : (proposal.entries?.length ?? 0) + 1;
  run(app, href, { total, counted: proposals });
}

function record(app, proposal, { page }) {
  const n = proposal.entries?.length ?? 0;
  const refused = refusal(app, { view: "proposal", filters: [["organization", proposal.organization?.id ?? ""]] });
  const download = (format) =>
    html`<button type="button" class="button" aria-label=${D.evidenceOf(texts.evidence[format])} @click=${() => save(app, proposal, format)}>${icon("download")}${texts.evidence[format]}</button>`;
  return html`<section class="record"><h4>${D.record}</h4><p class="record-links">
    ${proposal.case ? html`<a class="button" href=${caseOf(proposal.case)}>${icon("scroll-text")}${D.case}</a>` : nothing}
    ${page ? nothing : html`<a class="button" href=${proposalOf(proposal.id)}>${icon("arrow-up-right")}${D.page}</a>`}
    ${n ? html`<a class="button" href=${entriesOf(proposal)}>${icon("layers")}${D.entries(n)}</a>` : nothing}
    <button type="button" class="button copy-link" @click=${(event) => copyLink(app, proposal, event.currentTarget)}>${icon("link", "before")}${icon("check", "after")}${D.copy}</button>
    ${refused ? nothing : html`<span class="evidence"><span class="quiet">${D.evidence}</span>${download("csv")}${download("ndjson")}</span>`}</p>${
      refused ? html`<p class="note no-evidence">${icon("lock")}<span>${D.evidence}: ${plain(refused, 400)}</span></p>` : nothing
    }</section>`;
}

/** Everything about one proposal. */
export function detail(app, proposal, { page = false } = {}) {
  const decided = proposal.decisions?.length;
  return html`${verdict(proposal, app.zone)}
    <div class="detail-columns"><div>${compare(proposal)}${output(proposal)}</div>
    <div><section><h4>${D.what}</h4>${what(app, proposal)}</section>${decided ? html`<section><h4>${D.decisions}</h4>${decisions(app, proposal)}</section>` : nothing}</div></div>
    ${record(app, proposal, { page })}`;
}
