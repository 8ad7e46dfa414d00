// One case: what was proposed, decided and run, the process it started, and what that changed, in order.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { badge, resource, who } from "./columns.js";
import { icon, outcomeLook, verbLook } from "./icons.js";
import { processOf, proposalOf } from "./place.js";
import * as reading from "./reading.js";
import { failure } from "./states.js";
import { texts as shared } from "./texts.js";
import { exact } from "./time.js";
import { plain, word } from "./words.js";
import { bones, firstText, headline, stations } from "./proposal-card.js";
import { chainOf } from "./proposal-live.js";
import { Part, missing } from "./proposals.js";
import { texts } from "./proposal-texts.js";
import { at, nameOf, span } from "./proposal-words.js";

const C = texts.cases;
/** Gaps shorter than this are not worth a word. */
const GAP = 1000;

export class Case extends Part {
  ask(id, signal) {
    const query = new URLSearchParams(this.app.place.filters.filter(([name]) => name === "organization"));
    return ask(`/api/v1/cases/${encodeURIComponent(id)}`, { query, signal });
  }

  heard(activity) {
    return activity.activity?.case?.id === this.shown || this.answer?.proposals?.some((one) => one.id === chainOf(activity));
  }

  view() {
    const { app, answer, problem } = this;
    if (problem?.status === 404 && !answer) return missing(C.back, "/ai", C.none, C.noneHint);
    const back = html`<p class="back"><a href="/ai">${icon("arrow-left")}${C.back}</a></p>`;
    if (!answer) return html`${back}<h1 class="unseen">${shared.titles.case}</h1>${problem ? html`<div class="panel">${failure(app)}</div>` : bones(2)}`;
    const entries = answer.entries ?? [];
    const chains = answer.proposals ?? [];
    const processes = answer.processes ?? [];
    return html`${back}${problem ? failure(app) : nothing}<div class="agent-head"><h1>${icon("scroll-text")}<span>${C.title(plain(this.shown, 120))}</span></h1>${
      entries.length ? html`<p class="quiet">${C.sub(entries.length, exact(entries[0]["@timestamp"], app.zone), exact(entries.at(-1)["@timestamp"], app.zone))}</p>` : nothing
    }</div>
      ${chains.length ? html`<section class="panel" aria-label=${C.proposals}><ul class="chains">${chains.map((one) => this.chain(one))}</ul></section>` : nothing}${this.cut("proposals")}
      ${processes.length ? html`<ul class="started" aria-label=${C.processes}>${processes.map((one) => html`<li class="panel">${icon("workflow")}<a href=${processOf(one.id)} data-stop>${word(one.name || one.id, { limit: 120 })}</a>${processState(one)}</li>`)}</ul>` : nothing}${this.cut("processes")}
      <section class="panel story-panel" aria-labelledby="story-title"><h2 id="story-title">${C.label}</h2><ol class="story">${entries.map((one, i) => this.moment(one, entries[i - 1]))}</ol>${this.cut("entries")}</section>`;
  }

  /** That there is more of a part than is shown. */
  cut(part) {
    return this.answer.left_out?.includes(part) ? html`<p class="quiet" data-cut=${part}>${icon("info")} ${C.cut[part]}</p>` : nothing;
  }

  chain(one) {
    const { app } = this;
    return html`<li data-chain=${one.id}><article class=${`chain still ${one.judgement?.violation ? "violation" : ""}`} aria-label=${nameOf(one)}>
      ${headline(app, one, { heading: (named) => html`<h3><a href=${proposalOf(one.id)} data-stop>${named}</a></h3>`, here: true })}
      ${one.judgement?.violation ? html`<p class="explained">${word(firstText(one, app.zone), { limit: 240 })}</p>` : nothing}${stations(one, app.zone)}</article></li>`;
  }

  /** One entry as a sentence of the story: when, what, on what, who. */
  moment(entry, before) {
    const { zone } = this.app;
    const own = entry.activity ?? {};
    const [sign, tone] = verbLook(reading.verb(entry));
    const gap = before ? Date.parse(entry["@timestamp"]) - Date.parse(before["@timestamp"]) : 0;
    const said = line(entry);
    const process = own.process;
    return html`<li class=${`moment ${tone}`}>${gap >= GAP ? html`<span class="gap">${C.later(span(gap))}</span>` : nothing}
      <span class="sign" aria-hidden="true">${icon(sign)}</span><span class="when">${at(entry["@timestamp"], zone, { beside: before?.["@timestamp"] })}</span>
      <div class="what"><p>${badge(entry)} ${resource(entry, { type: false })} <span class="who-of">${who(entry)}</span></p>
      ${said ? html`<p class="quiet said-of">${word(said, { limit: 300 })}</p>` : nothing}
      <p class="links">${process?.id ? html`<a href=${processOf(process.id)}>${icon("workflow")}${C.openProcess}</a>` : nothing}${
        own.proposal?.id ? html`<a href=${proposalOf(own.proposal.id)}>${icon("message-square-text")}${C.openProposal}</a>` : nothing
      }<a href=${this.entry(entry)}>${icon("scroll-text")}${C.entry}</a></p></div></li>`;
  }

  entry(entry) {
    const agent = entry.activity?.lens === "agent";
    return `${agent ? "/ai/entries" : "/audit"}?${new URLSearchParams({ case: this.shown, open: entry.id ?? entry.event?.id ?? "" })}`;
  }
}

/** How a process of the case stands: a word with its sign. */
function processState({ state }) {
  const [sign, tone] = outcomeLook({ done: "completed", failed: "failed" }[state] ?? "unknown");
  return html`<span class=${`badge ${tone}`}>${icon(sign)}${reading.humanize(state)}</span>`;
}

/** What an entry adds to its action, in one line. */
function line(entry) {
  const own = entry.activity ?? {};
  const { decision, execution, step, process } = own;
  return [
    own.proposal?.stage === "proposed" ? own.proposal.rationale : "",
    decision?.reason ? `“${decision.reason}”` : "",
    own.confirmation?.text ? `${texts.stations.typed} “${own.confirmation.text}”` : "",
    execution?.error || execution?.output || "",
    process ? [process.name, step?.name, step?.state ?? process.state].filter(Boolean).join(" · ") : "",
    !decision && !execution && !own.proposal && !process ? reading.gist(entry) : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

