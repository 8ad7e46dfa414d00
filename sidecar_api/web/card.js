// <activity-recent organization="northwind" count="6">: the latest activities as a card for a
// dashboard. It needs this file with what it imports, styles/page.css and styles/table.css, of which
// nothing but the card looks different on a page without the class "shell".

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { badge, time, who } from "./columns.js";
import { trailOf } from "./place.js";
import * as reading from "./reading.js";
import { recall } from "./store.js";
import { texts } from "./texts.js";
import { sentences, word } from "./words.js";

const C = texts.card;

const USUAL = 6, // unless `count` says otherwise
  MOST = 20; // that the API gives

/** What was done to what; a resource without a name is called by its type, as in the table. */
function named(activity) {
  const name = reading.resourceLabel(activity);
  const type = reading.typeLabel(reading.resource(activity).type);
  return html`<span class="kind">${word(name ? reading.humanize(type) : "")}</span>${badge(activity)}
        <span class="recent-name">${word(name || type)}</span>`;
}

class ActivityRecent extends HTMLElement {
  static observedAttributes = ["organization", "count"];

  connectedCallback() {
    this.load();
    this.timer = window.setInterval(() => { if (!document.hidden) this.load(); }, 60000);
  }

  disconnectedCallback() {
    window.clearInterval(this.timer);
    this.timer = null;
  }

  attributeChangedCallback() {
    // Those that stand in the markup are told of before the card is on the page: it asks once.
    if (this.timer) this.load();
  }

  get count() {
    return Math.min(MOST, Math.max(1, Math.trunc(Number(this.getAttribute("count"))) || USUAL));
  }

  async load() {
    this.draw();
    const turn = (this.turn = {});
    const query = new URLSearchParams({ count: String(this.count) });
    const organization = this.getAttribute("organization");
    if (organization) query.set("organization", organization);
    try {
      await reading.learned();
      const { activities } = await ask("/api/v1/activities/recent", { query });
      if (turn !== this.turn) return; // a later question was asked
      this.found = activities;
      this.problem = null;
    } catch (problem) {
      if (turn !== this.turn) return;
      if (problem.status === 401) this.dispatchEvent(new CustomEvent("signed-out", { bubbles: true }));
      this.problem = problem;
    }
    this.draw();
  }

  draw() {
    const organization = this.getAttribute("organization");
    const more = organization ? trailOf(organization) : "/audit";
    const zone = recall("zone", "local");
    const rows = this.found ?? [];
    render(
      html`<section class="card recent" aria-label=${C.label(this.found?.length || this.count)}><h2>${C.title}</h2>
      ${this.problem ? html`<p class="quiet" role="alert">${sentences(C.failed, this.problem.message)}</p>` : nothing}
      ${this.found && !rows.length ? html`<p class="quiet">${C.empty}</p>` : nothing}
      <p class="unseen" role="status">${this.found || this.problem ? nothing : texts.loading}</p>
      <ul>${
        this.found || this.problem
          ? rows.map(
              (activity) => html`<li>
        ${named(activity)}${who(activity)}${time(activity["@timestamp"], zone)}</li>`,
            )
          : Array.from({ length: this.count }, () => html`<li aria-hidden="true"><span class="bone"></span></li>`)
      }</ul>
      ${
        this.problem && !this.found
          ? html`<button type="button" class="button" @click=${() => this.load()}>${texts.errors.retry}</button>`
          : html`<a class="more-link" href=${more}>${C.more}</a>`
      }</section>`,
      this,
    );
  }
}

customElements.define("activity-recent", ActivityRecent);
