// The agents: a list of them, and the record of one.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { chipOf, note, without } from "./filters.js";
import { icon } from "./icons.js";
import { agentOf, within } from "./place.js";
import { organizationName } from "./reading.js";
import { failure } from "./states.js";
import { texts as shared } from "./texts.js";
import { exact, relative } from "./time.js";
import { word } from "./words.js";
import { bones, card } from "./proposal-card.js";
import { VIOLATION } from "./proposal-list.js";
import { Counted, missing } from "./proposals.js";
import { texts } from "./proposal-texts.js";
import { agentName, impactBadge, partlyNote, percent, span, stateLabel, verdictBadge, verdictLabel } from "./proposal-words.js";

const A = texts.agents;
const LATEST = 5;
/** The page of an agent: in the same time, and of which organization, where one may see several. */
function addressOf({ agent, organization }, known, held) {
  const kept = known > 1 && organization?.id ? [...without(held, "organization"), ["organization", organization.id]] : held;
  return within(agentOf(agent.id || agent.name || ""), kept);
}
const counted = (one) => (one?.approximate ? html`<p class="quiet counted">${A.counted(one.chains, one.of)}</p>` : nothing);
const time = (iso, zone) => (iso ? html`<time datetime=${iso} data-tip=${exact(iso, zone)}>${relative(iso)}</time>` : nothing);
const wait = (ms) => (ms === null || ms === undefined ? A.never : span(ms));

/** All agents of what one may see. */
export class AgentList extends Counted {
  async ask(_, signal) {
    const answer = await ask("/api/v1/agents", { query: this.query, signal });
    for (const { organization } of answer.agents) note("organization", organization?.id, organization?.name);
    this.app.announce(A.loaded(answer.agents.length));
    return answer;
  }

  view() {
    const { app, answer, problem } = this;
    const title = html`<h1 class="unseen">${A.title}</h1>${this.chips()}`;
    if (!answer) return html`${title}${problem ? html`<div class="panel">${failure(app)}</div>` : html`<div class="panel">${bones(3)}</div>`}`;
    if (!answer.agents.length) return html`${title}${problem ? failure(app) : nothing}${app.place.filters.length ? this.blank("bot", A.emptyWhen, A.emptyWhenHint) : this.blank("bot", A.empty, A.emptyHint)}`;
    const H = A.heads;
    return html`${title}${problem ? failure(app) : nothing}${partlyNote(app)}<div class=${this.loading ? "panel stale" : "panel"}><div class="scroller"><table class="agents" id="agents"><caption class="unseen">${A.caption(answer.agents.length)}</caption>
      <thead><tr>${Object.entries(H).map(([name, label]) => html`<th scope="col" class=${`a-${name}`}>${label}</th>`)}</tr></thead>
      <tbody>${answer.agents.map((one) => this.row(one))}</tbody></table></div></div>${counted(answer.counted)}`;
  }

  row(record) {
    const { agent } = record;
    const violations = record.violations;
    const known = this.app.me?.organizations?.length ?? 0;
    return html`<tr class="row"><th scope="row" class="a-name"><span class="agent">${icon("bot")}</span><a href=${addressOf(record, known, this.app.place.filters)} data-stop>${word(agentName(agent) || A.nameless, { limit: 80 })}</a>${agent.version ? html` <span class="kind">${word(agent.version)}</span>` : nothing}${known > 1 && record.organization?.id ? html`<span class="kind">, ${word(organizationName(record.organization), { limit: 60 })}</span>` : nothing}</th>
      <td class="a-model">${word(agent.model ?? "")} <span class="kind">${word(agent.provider ?? "")}</span></td>
      <td class="a-proposals">${record.proposals.toLocaleString("en")}<span class="phone-text"> ${A.counts.toLowerCase()}</span></td>
      <td class="a-approval">${percent(record.approval_rate)}</td>
      <td class="a-decision">${wait(record.time_to_decision_ms.p50)}</td>
      <td class="a-failure">${percent(record.failure_rate)}</td>
      <td class="a-violation">${violations ? html`<span class="state bad">${icon("triangle-alert")}${violations.toLocaleString("en")} <span class="kind">${percent(record.violation_rate)}</span></span>` : html`<span class="state good">${icon("circle-check")}0</span>`}</td>
      <td class="a-last">${time(record.last_at, this.app.zone)}</td></tr>`;
  }
}

/** One agent: its record in numbers, what they consist of, its latest proposals. */
export class OneAgent extends Counted {
  ask(id, signal) {
    return ask(`/api/v1/agents/${encodeURIComponent(id)}`, { query: this.query, signal });
  }

  view() {
    const { app, answer, problem } = this;
    const list = within("/agents", app.place.filters);
    const timed = app.place.filters.some(([name]) => chipOf(name) === "when");
    if (problem?.status === 404 && !timed) return missing(A.back, list, A.unknown, A.unknownHint, this.chips());
    const back = html`<p class="back"><a href=${list}>${icon("arrow-left")}${A.back}</a></p>`;
    if (problem?.status === 404) return html`${back}${this.chips()}<h1 class="unseen">${shared.titles.agent}</h1>${this.blank("bot", A.noneWhen, A.unknownWhen)}`;
    if (!answer) return html`${back}${this.chips()}<h1 class="unseen">${shared.titles.agent}</h1>${problem ? html`<div class="panel">${failure(app)}</div>` : bones(2)}`;
    const { agent, latest } = answer;
    return html`${back}${this.chips()}${problem ? failure(app) : nothing}<div class="agent-head"><h1><span class="avatar agent" aria-hidden="true">${icon("bot")}</span>${word(agentName(agent), { limit: 120 })}</h1>
        <p class="quiet">${[agent.version, agent.model, agent.provider].filter(Boolean).map((one, i) => html`${i ? " · " : ""}${word(one)}`)}${agent.id && agent.id !== agent.name ? html` · <span class="mono">${word(agent.id)}</span>` : nothing}</p></div>
      ${partlyNote(app)}<div class=${this.loading ? "stale" : ""}>${this.record(answer)}${counted(answer.counted)}${this.parts(answer)}</div>
      <section class="panel latest" aria-labelledby="latest-title"><div class="look-head plain"><h2 id="latest-title">${A.latest}</h2><a href=${this.listed()}>${A.every}</a></div>${
        latest.length
          ? html`<ul class="chains">${latest.slice(0, LATEST).map((one) => html`<li data-chain=${one.id}>${card(app, one, {})}</li>`)}</ul>`
          : html`<p class="quiet none-of">${A.none}</p>`
      }</section>`;
  }

  listed(more = {}) {
    return super.listed({ agent: this.shown, ...more });
  }

  record(record) {
    const number = (value, label, { tone = "", hint = "", href } = {}) => {
      const body = html`<strong class=${tone}>${value}</strong><span class="quiet">${label}${hint ? html`, ${hint}` : nothing}</span>`;
      return href ? html`<a class="card number" href=${href}>${body}</a>` : html`<div class="card number">${body}</div>`;
    };
    const violations = record.violations;
    const { p50, p95 } = record.time_to_decision_ms;
    return html`<div class="numbers five" role="group" aria-label=${A.record}>
      ${number(record.proposals.toLocaleString("en"), A.counts, { href: this.listed() })}${number(percent(record.approval_rate), A.approval)}
      ${number(wait(p50), A.decision, { hint: p95 === null ? "" : A.p95(span(p95)) })}
      ${number(percent(record.failure_rate), A.failure)}
      ${number(violations.toLocaleString("en"), A.violation, { tone: violations ? "bad" : "good", hint: violations ? percent(record.violation_rate) : "", href: violations ? this.listed({ verdict: VIOLATION }) : undefined })}</div>`;
  }

  /** What the record consists of: counts by verdict, impact, state, tool. */
  parts({ verdicts, impacts, states, tools }) {
    const groups = {
      verdict: [verdicts, (key) => verdictBadge({ verdict: key, label: verdictLabel(key) })],
      impact: [impacts, (key) => impactBadge(key)],
      state: [states, (key) => stateLabel(key)],
      tool: [Object.fromEntries((tools ?? []).filter((one) => one.name).map((one) => [one.name, one.proposals])), (key) => html`<span class="mono">${word(key, { limit: 80 })}</span>`],
    };
    const shown = Object.entries(groups).filter(([, [counts]]) => counts && Object.keys(counts).length);
    return html`<div class="parts">${shown.map(([name, [counts, label]]) => {
      const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 12);
      const most = Math.max(...rows.map(([, n]) => n));
      return html`<section class="card"><h2>${A.by[name]}</h2><ul class="tallies">${rows.map(
        ([key, n]) => html`<li><a href=${this.listed({ [name]: key })}>${label(key)}</a><meter min="0" max=${most} value=${n} aria-hidden="true"></meter><span class="count">${n.toLocaleString("en")}</span></li>`,
      )}</ul></section>`;
    })}</div>`;
  }
}

