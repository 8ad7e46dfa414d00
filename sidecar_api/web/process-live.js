// The live cards: one element a process, drawn again only when its process changed. The order
// holds while somebody reads: what is new or needs a look waits behind a pill.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { icon } from "./icons.js";
import { ProcessStream, keyOf, merge } from "./process-stream.js";
import { card } from "./process-card.js";
import { channelLabel, channelNames, isOpen, needsLook, ownOnly, texts, tick } from "./process-words.js";

/** Milliseconds between two drawings, however fast deltas come; the first one is at once. */
const BREATH = 100;
/** Milliseconds in which a pointer that left the cards, or the pill, may reach the other. */
const GRACE = 1000;

const rank = (process) => (needsLook(process) ? 0 : isOpen(process) ? 1 : 2);
const byTime = (a, b) => (b.started ?? "").localeCompare(a.started ?? "") || a.id.localeCompare(b.id);

export class LiveProcesses {
  constructor(app) {
    this.app = app;
    this.cards = new Map(); // key -> {element, process, compact}
    this.touched = new Set();
    this.order = [];
    this.ended = [];
    this.waiting = { fresh: 0, look: 0 };
    this.leaving = 0;
  }

  watch({ channel, organization, show }) {
    this.show = show;
    const asked = JSON.stringify([channel, organization]);
    if (asked === this.asked && this.stream?.running) return this.sort();
    this.stop();
    this.asked = asked;
    this.stream = new ProcessStream({ channel, organization });
    this.stream.addEventListener("processes", ({ detail }) => this.took(detail));
    this.stream.addEventListener("state", () => this.app.lenses.processes.connection());
    this.stream.start();
    this.clock = setInterval(() => this.tick(), 1000);
    this.look = () => this.later();
    document.addEventListener("scroll", this.look, { passive: true });
    document.addEventListener("focusout", this.look);
    return undefined;
  }

  stop() {
    this.stream?.stop();
    this.stream = null;
    this.asked = this.counts = null;
    clearInterval(this.clock);
    clearTimeout(this.soon);
    clearTimeout(this.grace);
    this.soon = this.leaving = 0;
    document.removeEventListener("scroll", this.look);
    document.removeEventListener("focusout", this.look);
    this.cards.clear();
    this.order = this.ended = [];
    this.waiting = { fresh: 0, look: 0 };
  }

  took(touched) {
    for (const key of touched ?? this.stream.processes.keys()) this.touched.add(key);
    this.later();
  }

  later() {
    if (!this.soon) this.soon = setTimeout(() => this.draw(), Math.max(0, (this.drawn ?? 0) + BREATH - performance.now()));
  }

  draw() {
    this.soon = 0;
    this.drawn = performance.now();
    if (!this.stream) return;
    for (const key of this.touched) this.drawCard(key);
    this.touched.clear();
    this.sort();
    this.app.render();
    this.tick();
  }

  drawCard(key) {
    const process = this.stream.processes.get(key);
    if (!process) return void this.cards.delete(key);
    const known = this.cards.get(key) ?? { element: document.createElement("li"), compact: false };
    known.process = process;
    this.cards.set(key, known);
    render(card(this.app, process, known), known.element);
  }

  redrawAll() {
    for (const key of this.cards.keys()) this.drawCard(key);
    this.tick();
  }

  noted(process, request) {
    const key = keyOf(process);
    const known = this.stream?.processes.get(key);
    if (!known || !request?.id || known.requests.some((one) => one.id === request.id)) return;
    this.stream.processes.set(key, merge(known, { id: process.id, requests: [request] }));
    this.drawCard(key);
  }

  get held() {
    const places = [...document.querySelectorAll(".processes, #fresh")];
    return (
      places.length > 0 &&
      (window.scrollY > 60 ||
        performance.now() < this.leaving ||
        places.some((one) => one.contains(document.activeElement) || one.matches(":hover")) ||
        Boolean(document.querySelector("dialog[open]")))
    );
  }

  left() {
    this.leaving = performance.now() + GRACE;
    clearTimeout(this.grace);
    this.grace = setTimeout(() => this.later(), GRACE);
  }

  sort({ now = false } = {}) {
    const all = this.stream ? [...this.stream.processes.values()] : [];
    this.counts = { all: all.length, look: all.filter(needsLook).length, running: all.filter(isOpen).length };
    const wanted = all
      .filter((one) => (this.show === "look" ? needsLook(one) : this.show === "running" ? isOpen(one) : true))
      .sort((a, b) => rank(a) - rank(b) || byTime(a, b));
    const top = wanted.filter((one) => rank(one) < 2).map(keyOf);
    const ended = wanted.filter((one) => rank(one) === 2).map(keyOf);
    const shown = [...this.order, ...this.ended];
    const question = `${this.asked} ${this.show}`;
    if (now || !this.held || !shown.length || question !== this.sorted) {
      [this.order, this.ended, this.sorted] = [top, ended, question];
      this.waiting = { fresh: 0, look: 0 };
      for (const key of [...top, ...ended]) {
        const known = this.cards.get(key);
        const compact = ended.includes(key);
        if (known && known.compact !== compact) {
          known.compact = compact;
          this.drawCard(key);
        }
      }
      return;
    }
    const there = (key) => this.stream.processes.has(key);
    this.order = this.order.filter(there);
    this.ended = this.ended.filter(there);
    const looks = wanted.filter(needsLook).map(keyOf);
    const seen = new Set(shown);
    this.waiting = {
      fresh: wanted.filter((one) => !seen.has(keyOf(one)) && !needsLook(one)).length,
      look: looks.filter((key) => this.order.indexOf(key) === -1 || this.order.indexOf(key) >= looks.length).length,
    };
  }

  reorder() {
    this.sort({ now: true });
    this.app.render();
    window.scrollTo(0, 0);
    document.querySelector(".processes a[data-process]")?.focus({ preventScroll: true });
  }

  tick() {
    const root = document.querySelector("#main");
    if (root) tick(root, this.stream?.skew);
  }

  // -- what is shown ------------------------------------------------------------------------------

  bar() {
    const { app } = this;
    const counts = this.stream?.heard ? this.counts : null;
    const held = new Map(app.place.filters);
    const show = (name, label, n) => {
      const on = (held.get("show") ?? "") === name;
      const rest = app.place.filters.filter(([key]) => key !== "show");
      return html`<button type="button" class=${`button ${on ? "primary" : ""}`} aria-pressed=${on ? "true" : "false"} data-show=${name || "all"}
        @click=${() => app.setFilters(name ? [...rest, ["show", name]] : rest)}>${name === "look" && n ? icon("triangle-alert") : nothing}${n === undefined ? label : `${label} ${n}`}</button>`;
    };
    const channel = held.get("channel") ?? "";
    const names = channelNames();
    if (channel && !names.includes(channel)) names.push(channel);
    return html`<div class="shows" role="group" aria-label=${texts.show.label}>${show("", texts.show.all, counts?.all)}${show("look", texts.show.look, counts?.look)}${show("running", texts.show.running, counts?.running)}</div>
      <label class="kind-of"><span class="unseen">${texts.channel.label}</span><select id="channel" @change=${(event) => {
        const rest = app.place.filters.filter(([key]) => key !== "channel");
        app.setFilters(event.target.value ? [...rest, ["channel", event.target.value]] : rest);
      }}><option value="" .selected=${!channel}>${texts.channel.all}</option>${names.map(
        (name) => html`<option value=${name} .selected=${name === channel}>${channelLabel(name)}</option>`,
      )}</select></label>`;
  }

  view() {
    const { stream, waiting } = this;
    if (!stream?.heard && stream?.state.phase !== "ended") return bones();
    const what = texts.pill(waiting.fresh, waiting.look);
    const list = (keys) =>
      repeat(
        keys.filter((key) => this.cards.has(key)),
        (key) => key,
        (key) => this.cards.get(key).element,
      );
    const T = texts.groups;
    return html`<div class="pill-line">${
      what
        ? html`<button type="button" class="pill" id="fresh" aria-label=${texts.show_pill(what)} @click=${() => this.reorder()} @mouseleave=${() => this.left()}>${icon("arrow-up")}${what}</button>`
        : nothing
    }</div>
    <div class="processes" @mouseleave=${() => this.left()}>${this.order.length ? html`<h2 class="unseen">${T.now}</h2><ul class="cards">${list(this.order)}</ul>` : nothing}
      ${this.ended.length ? html`<h2>${T.ended}</h2><ul class="cards">${list(this.ended)}</ul>` : nothing}</div>
    ${this.order.length || this.ended.length ? nothing : this.empty()}${stream.cut ? html`<p class="quiet" id="cut">${icon("info")} ${texts.more}</p>` : nothing}`;
  }

  empty() {
    const { app } = this;
    const chosen = app.place.filters.length;
    const E = texts.empty;
    const own = ownOnly(app);
    return html`<div class="panel"><div class="blank" id="empty">${icon(chosen ? "list-filter" : "inbox")}<h2>${chosen ? E.filtered : own ? E.own : E.title}</h2>${own ? nothing : html`<p>${E.hint}</p>`}
      <p class="choices">${chosen ? html`<button type="button" class="button" @click=${() => app.setFilters([])}>${E.all}</button>` : nothing}<a class="button" href="/processes?tab=history">${E.history}</a></p></div></div>`;
  }
}

const bones = () =>
  html`<ul class="cards" aria-hidden="true">${Array.from(
    { length: 3 },
    () => html`<li><div class="process bones">${Array.from({ length: 7 }, () => html`<p><span class="bone"></span></p>`)}</div></li>`,
  )}</ul>`;
