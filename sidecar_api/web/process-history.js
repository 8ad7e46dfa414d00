// Operation History: what ran, in pages. The address is the state, as in the audit trail.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { Problem, ask } from "./api.js";
import * as filters from "./filters.js";
import { icon } from "./icons.js";
import { pager } from "./pager.js";
import { organization } from "./columns.js";
import { processOf } from "./place.js";
import { failure } from "./states.js";
import { exact, relative } from "./time.js";
import { word } from "./words.js";
import { nameOf, target } from "./process-card.js";
import {
  badges,
  channelIcon,
  channelLabel,
  channelNames,
  isOpen,
  ownOnly,
  starter,
  stateName,
  tellsOrganization,
  texts,
  tick,
  took,
} from "./process-words.js";

const H = texts.history;

function declared() {
  const choice = (value, label) => ({ value, label });
  const F = H.filters;
  return [
    { name: "state", label: F.state, repeats: false, values: ["pending", "running", "done", "failed", "cancelled", "stalled"].map((name) => choice(name, stateName(name))) },
    { name: "channel", label: F.channel, repeats: false, values: channelNames().map((name) => choice(name, channelLabel(name))) },
    { name: "server", label: F.server, repeats: false },
    { name: "cloud_account", label: F.cloud_account, repeats: false },
    { name: "target", label: F.target, repeats: false },
    { name: "initiator", label: F.initiator, repeats: false },
    { name: "range", label: F.when, values: Object.entries(H.ranges).map(([value, label]) => choice(value, label)) },
  ];
}

export class Operations {
  constructor(app) {
    this.app = app;
  }

  stop() {
    filters.borrow(null);
    this.abort?.abort();
    this.answer = null;
    if (this.borrowed) {
      this.app.answer = null;
      this.borrowed = false;
    }
    clearInterval(this.clock);
  }

  /** Asks for the page that the address names. */
  async load() {
    const { app } = this;
    filters.borrow(declared());
    this.borrowed = true;
    clearInterval(this.clock);
    this.clock = setInterval(() => tick(document.querySelector("#main") ?? document), 1000);
    this.abort?.abort();
    const stop = (this.abort = new AbortController());
    const query = new URLSearchParams();
    for (const [name, value] of app.place.filters) if (name !== "show") query.append(name, value);
    query.set("page", String(app.place.page));
    query.set("size", String(app.size));
    this.loading = true;
    app.render();
    try {
      const answer = await ask("/api/v1/processes", { query, signal: stop.signal });
      if (stop.signal.aborted) return;
      this.answer = answer;
      app.answer = { activities: [], page: answer.page };
      app.problem = null;
      app.announce(H.loaded(answer.page.total, answer.page.approximate));
    } catch (error) {
      if (error.name === "AbortError" || stop.signal.aborted) return;
      if (error.status === 401) return void app.toLogin();
      if (!(error instanceof Problem)) throw error;
      app.problem = error;
    }
    this.loading = false;
    app.render();
    tick(document);
  }

  view() {
    const { app, answer } = this;
    const { problem } = app;
    const denied = problem && (!answer || problem.status === 403 || problem.status === 404);
    const none = answer && !answer.processes.length;
    return html`<div class="toolbar">${filters.searchField(app, H.search)}</div>
      <div class="chips-line">${filters.chips(app)}<span class="summary" aria-hidden="true">${answer && !denied ? H.loaded(answer.page.total, answer.page.approximate) : nothing}</span></div>
      ${problem && !denied ? failure(app) : nothing}
      <div class="panel">${denied ? failure(app) : none ? this.empty() : html`${this.table()}${pager(app)}`}</div>`;
  }

  empty() {
    const { app } = this;
    const held = [...filters.grouped(app.place.filters).keys()];
    return html`<div class="blank" id="empty">${icon(held.length ? "list-filter" : "inbox")}<h2>${held.length ? H.empty : ownOnly(app) ? H.emptyOwn : H.emptyAll}</h2>${
      held.length
        ? filters.drops(app)
        : html`<p>${H.emptyHint}</p>`
    }</div>`;
  }

  table() {
    const { app, answer } = this;
    const several = tellsOrganization(app) || answer?.processes.some((process) => tellsOrganization(app, process));
    const heads = Object.entries(H.heads).filter(([name]) => several || name !== "organization");
    return html`<div class="scroller"><table class=${`operations ${this.loading && answer ? "stale" : ""}`} id="operations">
      <caption class="unseen">${answer ? H.caption(answer.page.total) : H.heads.name}</caption>
      <thead><tr>${heads.map(([name, label]) => html`<th scope="col" class=${`o-${name}`}>${label}</th>`)}</tr></thead>
      <tbody>${
        answer
          ? answer.processes.map((process) => this.row(process, several))
          : Array.from({ length: app.size }, () => html`<tr class="skeleton" aria-hidden="true">${heads.map(([name]) => html`<td class=${`o-${name}`}><span class="bone"></span></td>`)}</tr>`)
      }</tbody></table></div>`;
  }

  row(process, several) {
    const { zone } = this.app;
    const where = [process.server?.name, process.cloud_account?.name].filter(Boolean);
    const on = target(process);
    return html`<tr class="row" data-id=${process.id}>
      <td class="o-state">${badges(process)}</td>
      <td class="o-name"><a href=${processOf(process.id, process.organization?.id)} data-process=${process.id}>${word(nameOf(process))}</a>${on === nothing || process.target?.name === nameOf(process) ? nothing : html` <span class="kind">${on}</span>`}</td>
      <td class="o-channel"><span class="source">${icon(channelIcon(process.channel))}${word(channelLabel(process.channel))}</span></td>
      ${several ? html`<td class="o-organization">${organization(process.organization)}</td>` : nothing}
      <td class="o-where">${where.length ? where.map((one, i) => html`${i ? html`<span class="slash"> · </span>` : nothing}${word(one)}`) : html`<span class="none">–</span>`}</td>
      <td class="o-who">${starter(process)}</td>
      <td class="o-started">${process.started ? html`<time datetime=${process.started} data-tip=${exact(process.started, zone)}>${relative(process.started)}</time>` : nothing}</td>
      <td class="o-duration">${took(process, zone, isOpen(process) && !process.stalled)}</td></tr>`;
  }
}
