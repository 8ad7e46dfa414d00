// All proposals: what needs a look on top, then the newest first. The address is the state.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { Problem, ask } from "./api.js";
import { instead, run } from "./exporting.js";
import * as filters from "./filters.js";
import { icon } from "./icons.js";
import { pager } from "./pager.js";
import { FIRST } from "./place.js";
import { personName } from "./reading.js";
import { failure } from "./states.js";
import { texts as shared } from "./texts.js";
import { bones, card } from "./proposal-card.js";
import { detail } from "./proposal-detail.js";
import { chainOf } from "./proposal-live.js";
import { fetchProposal } from "./proposals.js";
import { proposals, texts } from "./proposal-texts.js";
import { STATES, VERDICT_NAMES, VIOLATIONS, agentName, partly, partlyNote, percent, span, stateLabel, verdictLabel } from "./proposal-words.js";

const L = texts.look,
  F = texts.filters;
/** A value of the filter "verdict" that stands for all violations. */
export const VIOLATION = "violations";

/** The filters of this list, in the words of the others; `agents` are those that are known. */
function declared(agents) {
  const choice = (value, label) => ({ value, label });
  const table = (values) => Object.entries(values).map(([value, label]) => choice(value, label));
  const counted = (name, facetOf = name, values = []) => ({ name, label: F[name], facet: true, facetOf, values });
  const chosen = (name, values) => ({ name, label: F[name], repeats: false, values });
  return [
    chosen("verdict", [choice(VIOLATION, texts.violations), ...VERDICT_NAMES.map((name) => choice(name, verdictLabel(name)))]),
    counted("result", "result", filters.valuesOf("result")),
    chosen("state", STATES.map((name) => choice(name, stateLabel(name)))),
    counted("impact", "impact", [...filters.valuesOf("impact"), choice("unrated", texts.oversight.unrated)]),
    { name: "target", label: F.target, repeats: false },
    counted("action"),
    counted("tool"),
    { name: "agent", label: F.agent, repeats: false, values: agents },
    { ...counted("initiator", "actor"), repeats: false },
    { ...counted("approver"), repeats: false },
    counted("source", "source", filters.valuesOf("source")),
    { ...counted("organization"), repeats: false },
    { name: "range", label: shared.filters.when, values: table(texts.ranges) },
  ];
}

/** What the API is asked with: its filters, without what only this page knows. */
export function questionOf(list) {
  const query = new URLSearchParams();
  for (const [name, value] of list) {
    if (name === "verdict" && value === VIOLATION) for (const one of VIOLATIONS) query.append("verdict", one);
    else query.append(name, value);
  }
  return query;
}

/** The records of all agents as one; where the times differ, the range of their medians. */
function sum({ agents, counted }) {
  const total = (of) => agents.reduce((all, one) => all + of(one), 0);
  const decided = total((one) => one.decided);
  const medians = agents.map((one) => one.time_to_decision_ms.p50).filter((ms) => ms !== null);
  return {
    proposals: counted?.of ?? total((one) => one.proposals),
    approval: decided ? total((one) => (one.approval_rate ?? 0) * one.decided) / decided : null,
    medians: medians.length ? [Math.min(...medians), Math.max(...medians)] : [],
    violations: total((one) => one.violations),
    newest: counted?.approximate ? counted : null,
  };
}

export class ProposalList {
  constructor(app) {
    this.app = app;
    this.agents = [];
    this.whole = new Map(); // id -> what was fetched by itself, whole
    this.clear();
  }

  clear() {
    this.answer = null;
    this.summary = null;
    this.fresh = new Set();
    this.more = false;
    this.problem = null;
  }

  stop() {
    this.abort?.abort();
    if (!this.borrowed) return;
    filters.borrow(null);
    this.app.answer = null;
    this.borrowed = false;
    this.whole.clear();
    this.clear();
  }

  /** Asks for the page that the address names, and for what needs a look. */
  async load(scroll) {
    const { app } = this;
    filters.borrow(declared(this.agents));
    this.borrowed = true;
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    this.loading = true;
    app.render();
    const held = app.place.filters;
    const query = questionOf(held);
    query.set("size", String(app.size));
    if (app.place.cursor) query.set("cursor", app.place.cursor);
    else if (app.place.page > 1) query.set("page", String(app.place.page));
    try {
      const answer = await ask("/api/v1/proposals", { query, signal });
      if (signal.aborted) return;
      this.answer = app.answer = answer;
      this.note(answer.proposals);
      this.fresh.clear();
      this.more = false;
      this.problem = app.problem = null;
      app.announce(texts.loaded(answer.page.total));
      if (app.place.open) this.complete(app.place.open);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.status === 401) return void app.toLogin();
      if (!(error instanceof Problem)) throw error;
      this.problem = app.problem = error;
    }
    this.loading = false;
    app.render();
    if (scroll) document.querySelector(".chains-panel")?.scrollIntoView({ block: "start" });
    this.askAgents(signal);
  }

  /** Whether what needs a look stands above: on the first page, where nobody asked for certain verdicts. */
  get above() {
    const { place } = this.app;
    return place.page === 1 && !place.cursor && !place.filters.some(([name]) => name === "verdict");
  }

  /** The record of all agents: numbers at the top, names for the filter. What fails leaves them out. */
  async askAgents(signal) {
    const query = questionOf(this.period);
    try {
      const answer = await ask("/api/v1/agents", { query, signal });
      if (signal.aborted) return;
      this.summary = sum(answer);
      this.agents = [...new Map(answer.agents.map(({ agent }) => [agent.id || agent.name, agentName(agent)])).entries()]
        .filter(([value]) => value)
        .map(([value, label]) => ({ value, label }));
      filters.borrow(declared(this.agents));
      this.app.render();
    } catch {
      if (!signal.aborted) this.unsummed = true; // the list stands by itself
      this.app.render();
    }
  }

  /** Names behind ids, so that a chip says who is meant. */
  note(list) {
    for (const one of list) {
      for (const [name, found] of [["initiator", one.initiator], ["approver", one.decisions?.at(-1)?.approver]])
        filters.note(name, found?.id, personName(found));
      filters.note("agent", one.agent?.id, one.agent?.name);
      filters.note("organization", one.organization?.id, one.organization?.name);
    }
  }

  find(id) {
    return this.answer?.proposals.find((one) => one.id === id);
  }

  /** Take a newer state of one that is shown. */
  put(proposal) {
    if (this.answer) this.answer.proposals = this.answer.proposals.map((one) => (one.id === proposal.id ? proposal : one));
    this.whole.set(proposal.id, proposal);
    this.app.render();
  }

  /** The whole of an opened one: a list has large ones in part alone. */
  async complete(id) {
    const known = this.find(id);
    if (!known || this.whole.has(id)) return;
    try {
      this.put(await fetchProposal(id, { organization: known.organization?.id, signal: this.abort?.signal }));
    } catch (error) {
      if (error.status === 401) return void this.app.toLogin();
      if (error.name !== "AbortError") this.app.announce(error.message);
    }
  }

  toggle(id) {
    const { app } = this;
    const open = app.place.open === id;
    app.go(open ? { open: null } : { open: id }, { replace: true });
    if (!open) this.complete(id);
    document.querySelector(`[data-chain="${CSS.escape(id)}"] .toggle-chain`)?.focus({ preventScroll: true });
  }

  heard(activity) {
    const id = chainOf(activity);
    if (!id) return false;
    (this.moved ??= new Set()).add(id);
    return true;
  }

  /** What moved is read again where it is shown; all else waits behind the pill. */
  async again(ids = this.moved ?? new Set()) {
    this.moved = new Set();
    for (const id of ids) {
      const known = this.find(id);
      if (!known) {
        this.fresh.add(id);
        continue;
      }
      try {
        this.put(await fetchProposal(id, { organization: known.organization?.id }));
      } catch {
        // What is shown stays; the next entry of it asks again.
      }
    }
    this.app.render();
  }

  /** Anything may have moved, and there may be new ones. */
  missed() {
    this.more = true;
    return this.again(this.answer?.proposals.map((one) => one.id));
  }

  // -- what is shown --------------------------------------------------------------------------------

  view() {
    const { app, answer } = this;
    const { problem } = app;
    const denied = problem && (!answer || problem.status === 403 || problem.status === 404);
    const none = answer && !answer.proposals.length;
    const { fresh: { size }, more } = this;
    const fresh = size || Number(more);
    return html`<h1 class="unseen">${shared.titles.ai}</h1>
      ${denied ? nothing : this.numbers()}
      <div class="toolbar">${filters.searchField(app, texts.search, "target")}
        <button type="button" class="button" id="export" aria-haspopup="dialog" ?disabled=${!answer?.page.total}
          @click=${(event) => app.openMenu("evidence", event.currentTarget)}>${icon("download")}<span>${texts.evidence.button}</span></button></div>
      <div class="chips-line">${filters.chips(app)}<span class="summary" aria-hidden="true">${answer && !denied ? this.counted(answer.page) : nothing}</span></div>
      <div class="pill-line">${fresh ? html`<button type="button" class="pill" id="fresh" aria-label=${texts.showFresh(fresh, more)} @click=${() => app.refresh()}>${icon("arrow-up")}${texts.fresh(fresh, more)}</button>` : nothing}</div>
      ${problem && !denied ? failure(app) : nothing}
      ${denied || none ? nothing : partlyNote(app)}
      ${denied ? html`<div class="panel">${failure(app)}</div>` : none ? html`<div class="panel">${this.empty()}</div>` : this.lists()}`;
  }

  counted(page) {
    return `${page.approximate && !page.judged ? texts.about : ""}${page.judged && page.next ? texts.judged.showing(page.total) : proposals(page.total)}`;
  }

  lists() {
    const { app, answer } = this;
    if (!answer) return html`<div class="panel chains-panel">${bones()}${pager(app)}</div>`;
    const above = this.above ? answer.proposals.filter((one) => one.judgement?.violation) : [];
    const rest = answer.proposals.filter((one) => !above.includes(one));
    const rows = (list) => html`<ul class=${`chains ${this.loading ? "stale" : ""}`}>${repeat(
      list,
      (one) => one.id,
      (one) => html`<li data-chain=${one.id}>${card(app, one, {
        open: app.place.open === one.id,
        toggle: () => this.toggle(one.id),
        detail: () => detail(app, this.whole.get(one.id) ?? one),
      })}</li>`,
    )}</ul>`;
    return html`${
      above.length
        ? html`<section class="panel look" aria-labelledby="look-title"><div class="look-head"><h2 id="look-title">${icon("triangle-alert")}${L.title}</h2>${
            this.violations > above.length ? html`<a href=${this.toViolations()}>${L.all(this.violations)}</a>` : nothing
          }</div>${rows(above)}</section>`
        : nothing
    }<section class="panel chains-panel" aria-label=${texts.list.title}>${rest.length ? rows(rest) : nothing}${answer.page.judged ? this.further(answer.page) : pager(app)}</section>`;
  }

  /** Below a list of verdicts: chains are judged from the newest on, and one goes on from there. */
  further({ judged, next, from, to }) {
    const { app } = this;
    const J = texts.judged;
    return html`<div class="pager"><span class="showing" id="showing">${to ? J.showing(to - from + 1) : shared.pages.nothing}. ${J.looked(judged.chains, judged.of)}</span>
      ${app.place.cursor ? html`<button type="button" class="button quiet-button" @click=${() => app.go({ ...FIRST })}>${icon("arrow-up")}<span>${J.newest}</span></button>` : nothing}
      <button type="button" class="button" id="further" ?disabled=${!next} @click=${() => app.go({ ...FIRST, cursor: next, page: 2 })}><span>${J.further}</span>${icon("arrow-right")}</button></div>`;
  }

  /** Filters of the period that the numbers are about: a week, where nobody chose one. */
  get period() {
    const held = filters.whenAndWhose(this.app.place.filters);
    return filters.grouped(held).has("when") ? held : [["range", "7d"], ...held];
  }

  get violations() {
    return this.summary?.violations ?? 0;
  }

  toViolations() {
    const query = new URLSearchParams(this.period);
    query.set("verdict", VIOLATION);
    return `/ai?${query}`;
  }

  /** The answer in four numbers. */
  numbers() {
    const { summary } = this;
    const T = texts.summary;
    const range = this.period.find(([name]) => name === "range")?.[1];
    const when = (what) => T.when(what, texts.ranges[range]);
    const number = (value, label, { tone = "", href } = {}) => {
      const body = html`<strong class=${tone}>${value}</strong><span class="quiet">${label}</span>`;
      return href ? html`<a class="card number" href=${href}>${body}</a>` : html`<div class="card number">${body}</div>`;
    };
    if (this.unsummed) return nothing;
    if (!summary) return html`<div class="numbers waiting" aria-hidden="true">${Array.from({ length: 4 }, () => html`<div class="card number"><span class="bone"></span><span class="bone short"></span></div>`)}</div>`;
    // Of what nobody counted nothing is said: no tick, and a number of those that were looked at.
    const { newest } = summary;
    const look = when(newest ? `${T.look} ${T.newest(newest.chains)}` : T.look);
    return html`<div class="numbers">${number(summary.proposals.toLocaleString("en"), when(T.proposals))}
      ${number(percent(summary.approval), T.approved)}
      ${number([...new Set(summary.medians.map(span))].join(" – ") || "–", T.decision)}
      ${this.violations ? number(this.violations.toLocaleString("en"), look, { tone: "bad", href: this.toViolations() }) : newest ? number("0", look, { href: this.toViolations() }) : partly(this.app) ? number(html`${icon("info")}`, when(T.okPartly)) : number(html`${icon("circle-check")}`, when(T.ok), { tone: "good" })}</div>
      ${newest ? html`<p class="quiet counted">${texts.agents.counted(newest.chains, newest.of)}</p>` : nothing}`;
  }

  empty() {
    const { app } = this;
    const E = texts.empty;
    const held = [...filters.grouped(app.place.filters).keys()];
    const own = partly(app);
    return html`<div class="blank" id="empty">${icon(held.length ? "list-filter" : "inbox")}<h2>${held.length ? E.title : own ? E.partly : E.all}</h2>${own ? html`<p id="own-only">${own}</p>` : nothing}${
      held.length
        ? html`<p>${E.hint}</p>${filters.drops(app)}`
        : own
          ? nothing
          : html`<p>${E.allHint}</p>`
    }</div>`;
  }
}

/** The menu of evidence: files of what the filters show. */
export function evidence(app) {
  const E = texts.evidence;
  const save = (format) => {
    const query = questionOf(app.place.filters);
    query.set("format", format);
    run(app, `/api/v1/proposals/export?${query}`, { counted: proposals });
  };
  const refused = instead(app, "initiator");
  if (refused) return html`<h3>${shared.exporting.evidence}</h3>${refused}`;
  return html`<h3>${shared.exporting.evidence}</h3><ul class="options">${["csv", "ndjson"].map(
    (format) => html`<li><button type="button" class="option" @click=${() => save(format)}>${icon("download")}<span>${E[format]} <span class="kind">${E[`${format}Hint`]}</span></span></button></li>`,
  )}</ul><p class="quiet">${E.note}</p>`;
}
