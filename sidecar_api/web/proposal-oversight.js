// Oversight: how people decide on what agents propose, by approver and impact; and how to try a policy.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { copy } from "./details.js";
import * as filters from "./filters.js";
import { icon } from "./icons.js";
import { failure } from "./states.js";
import { texts as shared } from "./texts.js";
import { plain, word } from "./words.js";
import { bones } from "./proposal-card.js";
import { texts } from "./proposal-texts.js";
import { impactBadge, partlyNote, percent, span } from "./proposal-words.js";
import { Counted } from "./proposals.js";

const O = texts.oversight;
/** From here on a row is marked: approvals in a row, and milliseconds of half of the decisions. */
const MANY = 20,
  QUICK = 3000;
const ORDER = ["destructive", "caution", null, "safe"];
const SHORTEST = 1000,
  MOST_BARS = 8;
const IN_WORDS = /^[\w.:@/+-]+$/;

const keyOf = ({ approver }) => `${approver.person} ${approver.id}`; // a person's id may be "nobody"
const isPerson = (row) => row.approver.person;
const nameOf = (approver) => (approver.person ? approver.name || approver.id : O.nobody);
const total = (rows, of) => rows.reduce((sum, one) => sum + of(one), 0);
const rate = (rows) => {
  const decided = total(rows, (one) => one.decided);
  return decided ? total(rows, (one) => one.approved) / decided : null;
};
const digits = (n) => n.toLocaleString("en");
const marksOf = (row) => ({
  many: isPerson(row) && row.in_a_row >= MANY,
  quick: row.p50_ms !== null && row.p50_ms < QUICK,
  standing: row.impact === "destructive" && row.standing > 0,
});
const isMarked = (row) => Object.values(marksOf(row)).some(Boolean);
/** A value, with a sign and a word where it is one to look at. */
const marked = (on, value, why) => (on ? html`<span class="state warn" data-tip=${why}>${icon("triangle-alert")}${value}<span class="unseen">, ${why}</span></span>` : value);

/** Rows by approver: those with marks first, then who decided most; what no person decided last. */
function byApprover(rows) {
  const found = new Map();
  for (const row of rows) found.set(keyOf(row), [...(found.get(keyOf(row)) ?? []), row]);
  const groups = [...found.values()].map((some) => some.sort((a, b) => ORDER.indexOf(a.impact) - ORDER.indexOf(b.impact)));
  const weight = (some) => [isPerson(some[0]) ? 0 : 1, -some.filter(isMarked).length, -total(some, (one) => one.decided)];
  return groups.sort((a, b) => {
    const [mine, theirs] = [weight(a), weight(b)];
    return mine[0] - theirs[0] || mine[1] - theirs[1] || mine[2] - theirs[2];
  });
}

/** A word of a command, for a shell as it is meant. */
const quoted = (value) => (IN_WORDS.test(value) ? value : `'${plain(value, 300).replaceAll("'", "'\\''")}'`);

/** The command that judges the proposals of this period by a changed policy. */
function command(list) {
  const held = Object.fromEntries(list);
  const words = ["activity-center proposals replay --config activity-center.yml --policies changed.yml"];
  words.push(`--from ${quoted(held.range ?? held.from ?? "30d")}`);
  if (held.to && !held.range) words.push(`--to ${quoted(held.to)}`);
  if (held.organization) words.push(`--organization ${quoted(held.organization)}`);
  return words.join(" ");
}

export class Oversight extends Counted {
  ask(_, signal) {
    return ask("/api/v1/oversight", { query: this.query, signal });
  }

  async load() {
    await super.load();
    for (const { approver } of this.answer?.oversight ?? []) if (approver.person) filters.note("approver", approver.id, approver.name);
    if (this.answer && !this.problem) this.app.announce(O.loaded(byApprover(this.answer.oversight).length));
  }

  view() {
    const { app, answer, problem } = this;
    const denied = problem && (!answer || problem.status === 403);
    return html`<h1 class="unseen">${shared.titles.oversight}</h1>${this.chips()}
      ${problem && !denied ? failure(app) : nothing}
      ${
        denied
          ? html`<div class="panel">${failure(app)}</div>`
          : html`${!answer ? html`<div class="panel">${bones(3)}</div>` : answer.oversight.length ? this.shownRows(answer) : this.blank("gavel", O.empty, O.emptyHint)}${this.replay()}`
      }`;
  }

  shownRows({ oversight, counted }) {
    const groups = byApprover(oversight);
    return html`${partlyNote(this.app)}<div class=${this.loading ? "stale" : ""}>${this.numbers(oversight.filter(isPerson), oversight)}${this.bars(groups)}${this.table(groups)}</div>
      <p class="quiet counted">${O.marked(MANY, span(QUICK))} ${counted.approximate ? texts.agents.counted(counted.chains, counted.of) : nothing}</p>`;
  }

  /** How people decide, in five numbers. */
  numbers(people, all) {
    const number = (value, label, tone = "") => html`<div class="card number"><strong class=${tone}>${value}</strong><span class="quiet">${label}</span></div>`;
    const longest = people.reduce((most, one) => (one.in_a_row > (most?.in_a_row ?? 0) ? one : most), null);
    const medians = people.map((one) => one.p50_ms).filter((ms) => ms !== null);
    const ends = medians.length ? [Math.min(...medians), Math.max(...medians)] : [];
    return html`<div class="numbers five" role="group" aria-label=${O.title}>
      ${number(digits(total(people, (one) => one.decided)), O.decided)}${number(percent(rate(people)), O.approved)}
      ${number(longest ? digits(longest.in_a_row) : 0, longest ? html`${O.inARow}, ${word(nameOf(longest.approver), { limit: 40 })}` : O.inARow)}
      ${number([...new Set(ends.map(span))].join(" – ") || "–", O.median)}${number(digits(total(all, (one) => one.standing)), O.standing)}</div>`;
  }

  /** The picture: how often people say yes to what, and for how long without a no. */
  bars(groups) {
    const people = groups.filter(([first]) => isPerson(first));
    const rows = people.flat();
    const impacts = ORDER.map((impact) => [impact, rows.filter((one) => one.impact === impact)]).filter(([, some]) => some.length);
    const runs = people.map((some) => [some[0].approver, Math.max(...some.map((one) => one.in_a_row))]).sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS);
    if (!rows.length) return nothing;
    const bar = (label, value, most, said) => html`<li><span class="of">${label}</span><meter min="0" max=${most || 1} value=${value} aria-hidden="true"></meter><span class="count">${said}</span></li>`;
    return html`<div class="parts"><section class="card"><h2>${O.byImpact}</h2><ul class="tallies">${impacts.map(([impact, some]) => bar(impact ? impactBadge(impact) : O.unrated, rate(some), 1, percent(rate(some))))}</ul></section>
      <section class="card"><h2>${O.byRun}</h2><ul class="tallies">${runs.map(([approver, n]) => bar(word(nameOf(approver), { limit: 80 }), n, runs[0][1], digits(n)))}</ul></section></div>`;
  }

  table(groups) {
    const H = O.heads;
    const slowest = Math.max(SHORTEST * 2, ...groups.flat().map((one) => one.p95_ms ?? 0));
    return html`<div class="panel"><table class="agents oversight" id="oversight"><caption class="unseen">${O.caption}</caption>
      <thead><tr>${Object.entries(H).map(([name, label]) => html`<th scope="col" class=${`o-${name}`}>${label}</th>`)}</tr></thead>
      ${groups.map((rows) => html`<tbody>${rows.map((row, i) => this.row(row, i ? 0 : rows.length, slowest))}</tbody>`)}</table></div>`;
  }

  row(row, ofGroup, slowest) {
    const { approver, impact } = row;
    const marks = marksOf(row);
    const name = nameOf(approver);
    const badge = impact ? impactBadge(impact) : O.unrated;
    const cell = (key, value) => html`<td class=${`o-${key}`} data-label=${O.heads[key]}>${value}</td>`;
    return html`<tr class="row">${
      ofGroup
        ? html`<th scope="rowgroup" rowspan=${ofGroup} class="o-approver">${isPerson(row) ? html`<a href=${this.listed({ approver: approver.id })} data-stop>${word(name, { limit: 80 })}</a>` : name}</th>`
        : nothing
    }<td class="o-impact">${isPerson(row) && impact ? html`<a href=${this.listed({ approver: approver.id, impact })}>${badge}<span class="unseen">, ${O.decidedBy(plain(name, 80))}</span></a>` : badge}</td>
      ${cell("decided", digits(row.decided))}
      ${cell("approved", html`<span class="share"><meter min="0" max="1" value=${row.approval_rate ?? 0} aria-hidden="true"></meter>${percent(row.approval_rate)}</span>`)}
      ${cell("row", marked(marks.many, digits(row.in_a_row), O.why.many))}${cell("standing", marked(marks.standing, digits(row.standing), O.why.standing))}
      ${cell("time", row.p50_ms === null ? texts.agents.never : html`${marked(marks.quick, span(row.p50_ms), O.why.quick)}<span class="kind">, ${texts.agents.p95(span(row.p95_ms))}</span>${spread(row, slowest)}`)}</tr>`;
  }

  /** How to see what another policy would say, before it is switched on. */
  replay() {
    const R = O.replay;
    const text = command(this.app.place.filters);
    return html`<section class="card replay" id="replay"><h2>${R.title}</h2><p>${R.lead}</p>
      <pre class="code" tabindex="0" role="region" aria-label=${R.command}>${text}</pre>
      <p><button type="button" class="button copy-link" @click=${(event) => copy(this.app, text, event.currentTarget, R.copied)}>${icon("copy", "before")}${icon("check", "after")}${R.copy}</button></p><p class="quiet">${R.where}</p></section>`;
  }
}

/** From where half of the decisions were made to where 95 % of them were, on a logarithmic scale. */
function spread({ p50_ms: half, p95_ms: most }, slowest) {
  const place = (ms) => (Math.log(Math.max(SHORTEST, ms) / SHORTEST) / Math.log(slowest / SHORTEST)) * 96;
  const from = place(half);
  return html`<svg class="spread" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="ground" width="100" height="6"></rect><rect x=${from} width=${Math.max(1, place(most) - from + 4)} height="6"></rect><rect class="half" x=${from} width="2" height="6"></rect></svg>`;
}
