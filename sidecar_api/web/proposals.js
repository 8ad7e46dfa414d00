// AI Activity: which part of the lens is shown, and how it hears of what happens.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { Problem, ask } from "./api.js";
import * as filters from "./filters.js";
import { agentTabs } from "./frame.js";
import { icon } from "./icons.js";
import { failure } from "./states.js";
import { texts as shared } from "./texts.js";
import { bones, headline, stations } from "./proposal-card.js";
import { decideButtons } from "./proposal-decision.js";
import { detail } from "./proposal-detail.js";
import { ProposalList, evidence } from "./proposal-list.js";
import { ChainLive, chainOf } from "./proposal-live.js";
import { texts } from "./proposal-texts.js";
import { isOpen, nameOf, partly } from "./proposal-words.js";

const STYLES = "/static/styles/proposals.css";
const PATIENCE = 400,
  SECOND = 1000;

/** The style of the lens, before its first row is drawn. */
function dress() {
  if (document.querySelector(`link[href="${STYLES}"]`)) return Promise.resolve();
  return new Promise((done) => {
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href: STYLES, onload: done, onerror: done });
    document.head.append(link);
  });
}

/** One proposal, whole. */
export function fetchProposal(id, { organization, signal } = {}) {
  const query = new URLSearchParams(organization ? { organization } : {});
  return ask(`/api/v1/proposals/${encodeURIComponent(id)}`, { query, signal });
}

/** What stands where one thing is asked for that is not there. */
export const missing = (back, href, title, hint, above = nothing) =>
  html`<p class="back"><a href=${href}>${icon("arrow-left")}${back}</a></p>${above}<div class="panel"><div class="blank" role="alert" id="failure">${icon("circle-slash")}<h1>${title}</h1><p>${hint}</p></div></div>`;

/** A part of the lens that shows one thing of the API. */
export class Part {
  constructor(app) {
    this.app = app;
    this.shown = null; // subject
    this.answer = null;
    this.problem = null;
  }

  clear() {
    this.abort?.abort();
    this.shown = this.answer = this.problem = null;
  }

  /** Leaves; where one goes on to another thing of the same part, what it set up stays. */
  stop() {
    this.clear();
  }

  /** Asks again; what was shown stays until the answer is here. */
  async load() {
    const { app } = this;
    const { subject } = app.place;
    if (this.shown !== subject) this.clear();
    this.shown = subject;
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    this.loading = true;
    app.render();
    try {
      const answer = await this.ask(subject, signal);
      if (signal.aborted) return;
      this.answer = answer;
      this.problem = app.problem = null;
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.status === 401) return void app.toLogin();
      if (!(error instanceof Problem)) throw error;
      this.problem = app.problem = error;
    }
    this.loading = false;
    app.render();
  }

  /** An entry of what is shown came in, or it was decided on. */
  again() {
    return this.load();
  }

  /** Anything may have moved. */
  missed() {
    return this.load();
  }
}

/** A part that counts what time and organization leave: with chips for these. */
export class Counted extends Part {
  async load() {
    filters.borrow([
      { name: "organization", label: texts.filters.organization, facet: true, repeats: false },
      { name: "range", label: shared.filters.when, values: Object.entries(texts.ranges).map(([value, label]) => ({ value, label })) },
    ]);
    this.borrowed = true;
    await super.load();
  }

  stop() {
    super.stop();
    if (this.borrowed) filters.borrow(null);
    this.borrowed = false;
  }

  /** What the API is asked with. */
  get query() {
    return new URLSearchParams(this.app.place.filters);
  }

  chips() {
    return html`<div class="chips-line">${filters.chips(this.app)}<span class="summary" aria-hidden="true"></span></div>`;
  }

  /** What stands where nothing was found: why, and each filter to drop. */
  blank(look, title, hint) {
    const { app } = this;
    const held = [...filters.grouped(app.place.filters).keys()];
    const own = partly(app);
    return html`<div class="panel"><div class="blank" id="empty">${icon(held.length ? "list-filter" : look)}<h2>${own ? texts.empty.partly : title}</h2><p>${own || hint}</p>${
      held.length ? filters.drops(app) : nothing
    }</div></div>`;
  }

  /** The proposals behind a number. */
  listed(more) {
    return `/ai?${new URLSearchParams([...this.app.place.filters, ...Object.entries(more)])}`;
  }
}

/** The page of one proposal. */
class OneProposal extends Part {
  ask(id, signal) {
    const organization = this.app.place.filters.find(([name]) => name === "organization")?.[1];
    return fetchProposal(id, { organization, signal });
  }

  heard(activity) {
    return this.answer && chainOf(activity) === this.answer.id;
  }

  view() {
    const { app, answer, problem } = this;
    const O = texts.one;
    if (problem?.status === 404 && !answer) return missing(O.back, "/ai", O.none, O.noneHint);
    const back = html`<p class="back"><a href="/ai">${icon("arrow-left")}${O.back}</a></p>`;
    if (!answer) return html`${back}<h1 class="unseen">${shared.titles.proposal}</h1>${problem ? html`<div class="panel">${failure(app)}</div>` : bones(1)}`;
    const violation = answer.judgement?.violation;
    return html`${back}${problem ? failure(app) : nothing}<article class=${`panel chain one-chain open ${violation ? "violation" : ""}`} data-chain=${answer.id} aria-label=${nameOf(answer)}>
      ${headline(app, answer, { heading: (named) => html`<h1>${named}</h1>` })}${stations(answer, app.zone)}${isOpen(answer) ? decideButtons(app, answer) : nothing}
      <div class="chain-detail">${detail(app, answer, { page: true })}</div></article>`;
  }
}

export class Lens {
  constructor(app) {
    this.app = app;
    this.arrived = false;
    this.parts = { ai: new ProposalList(app), proposal: new OneProposal(app) };
    this.follower = new ChainLive(
      () => app.render(),
      (activity) => this.heard(activity),
      () => this.part?.missed(),
    );
    this.ready = dress();
  }

  get part() {
    return this.parts[this.app.place.view];
  }

  get waiting() {
    return !this.part?.answer && !this.part?.problem;
  }

  /** The place has changed, or is to be read again. */
  async arrive(scroll) {
    const { app } = this;
    const { view } = app.place; // of before: who goes on while this waits has asked for another
    await this.ready;
    if (!this.parts[view]) {
      if (view === "case") this.parts.case = new (await import("./proposal-case.js")).Case(app);
      else if (view === "oversight") this.parts.oversight = new (await import("./proposal-oversight.js")).Oversight(app);
      else {
        const { AgentList, OneAgent } = await import("./proposal-agents.js");
        Object.assign(this.parts, { agents: new AgentList(app), agent: new OneAgent(app) });
      }
    }
    if (view !== app.place.view) return;
    for (const [name, other] of Object.entries(this.parts)) if (name !== view) other.stop();
    this.arrived = true;
    clearInterval(this.clock);
    this.clock = setInterval(() => this.tick(), SECOND);
    await this.part.load(scroll);
    this.follow();
  }

  leave() {
    clearInterval(this.clock);
    clearTimeout(this.soon);
    this.follower.stop();
    for (const part of Object.values(this.parts)) part.stop();
  }

  /** While something waits for a decision, the time that is left runs. */
  tick() {
    if (document.hidden || document.querySelector("#menu:popover-open")) return;
    if (document.querySelector(".deciding")) this.app.render();
  }

  follow() {
    const { app } = this;
    const organization = app.place.filters.find(([name]) => name === "organization")?.[1];
    const asOf = this.part?.answer?.page?.as_of ?? new Date().toISOString();
    if (app.following && this.part?.heard && this.part.answer) this.follower.begin(new URLSearchParams({ lens: "agent", ...(organization ? { organization } : {}) }), [], asOf);
    else this.follower.stop();
  }

  /** An entry came in: what it belongs to is read again, several at once. */
  heard(activity) {
    if (!this.part?.heard?.(activity)) return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.part.again(), PATIENCE);
  }

  /** A decision was made here; `answer` is what the API said, null: it was refused. */
  decided(id, answer) {
    if (answer?.id === id && this.part?.put) this.part.put(answer);
    this.part?.again([id]);
  }

  view() {
    const { app, part } = this;
    const { view } = app.place;
    if (!part) return html`<main id="main" class="lens" tabindex="-1"><h1 class="unseen">${shared.titles[view]}</h1>${app.problem ? html`<div class="panel">${failure(app)}</div>` : bones()}</main>`;
    return html`<main id="main" class="lens ai" tabindex="-1">${["ai", "agents", "oversight"].includes(view) ? agentTabs(app) : nothing}${part.view()}</main>`;
  }

  /** What is asked for the values of a filter: entries of agents in the same time and place. */
  facets() {
    return new URLSearchParams([["lens", "agent"], ...filters.whenAndWhose(this.app.place.filters)]);
  }

  evidence() {
    return evidence(this.app);
  }

  /** Keys of the lens; true where one was for it. */
  key(event) {
    const { key, shiftKey, target } = event;
    const { app } = this;
    if (key === "Escape" && app.place.open && this.part?.toggle) {
      this.part.toggle(app.place.open);
      return true;
    }
    if (shiftKey) return false;
    const here = document.activeElement?.closest?.("[data-chain]");
    if (key === "x" && here && this.part?.put) {
      const tool = this.part.find(here.dataset.chain)?.tool?.name;
      if (tool) app.addFilter("tool", tool);
      return Boolean(tool);
    }
    const by = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (!by || (key.startsWith("Arrow") && target !== document.body && !target.matches("[data-stop]"))) return false;
    const stops = [...document.querySelectorAll("#main [data-stop]")];
    if (!stops.length) return false;
    const at = stops.indexOf(document.activeElement?.closest?.("li, tr, article")?.querySelector("[data-stop]"));
    const next = stops[at === -1 ? (by > 0 ? 0 : stops.length - 1) : Math.min(stops.length - 1, Math.max(0, at + by))];
    next.focus({ preventScroll: true });
    next.closest("li, tr, article").scrollIntoView({ block: "nearest" });
    return true;
  }
}
