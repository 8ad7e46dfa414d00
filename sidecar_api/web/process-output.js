// Output of any length as a list of which only the visible lines are in the page.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { icon } from "./icons.js";
import { exact } from "./time.js";
import { plain, sentences, word } from "./words.js";
import { bytes, texts, uncoloured } from "./process-words.js";

const O = texts.output;
const LINE = 18; // pixels, as in processes.css
const SPARE = 20; // lines drawn above and below
/** Chromium and Firefox draw no element higher than this; beyond it the bar stands for more. */
const TALLEST = 8_000_000;
const WIDEST = 4000; // characters of a line that are drawn
const ENOUGH = 32_000_000; // characters after which one is asked before more is loaded
const STORED = 1500; // milliseconds after which the history may have what was just said
const TRIES = 4; // so often, one after the other, it is asked in vain

// eslint-disable-next-line no-control-regex
const PLAIN = /^[\u0000-\u007f]*$/;
/** Bytes of a line in UTF-8, as offsets count them. */
const sizeOf = (line) => (PLAIN.test(line) ? line.length : new TextEncoder().encode(line).length);

/** A line of who does not count bytes, as the stream has it too: with milliseconds, and some offset. */
const uncounted = ({ step, stream, text, at }) => `${step} ${stream} @${Date.parse(at)} ${text}`;

export class Output {
  constructor(app, changed) {
    this.app = app;
    this.changed = changed;
    this.element = document.createElement("div");
    this.element.className = "output";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "region");
    this.space = document.createElement("div");
    this.space.className = "output-space";
    this.window = document.createElement("div");
    this.window.className = "output-lines mono";
    this.space.append(this.window);
    this.element.append(this.space);
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.sized = new ResizeObserver(() => this.draw());
    this.clear();
  }

  clear() {
    this.abort?.abort();
    clearTimeout(this.later);
    this.later = this.tries = 0;
    this.loading = false;
    this.process = null; // as it was last heard of
    this.mark = null; // the beginning of the last page: what comes is after it
    this.lines = [];
    this.seen = new Set();
    this.size = 0;
    this.whole = false;
    this.problem = null;
    this.at = null; // until when, in a replay
    this.wanted = "";
    this.step = "";
    this.visible = [];
    this.next = null;
    this.of = "";
  }

  open(process, { attempt, step = "" } = {}) {
    const organization = process.organization?.id ?? "";
    const asked = JSON.stringify([process.id, organization, attempt, step]);
    if (asked === this.asked) return;
    this.stop();
    this.asked = asked;
    this.id = process.id;
    this.organization = organization;
    this.attempt = attempt;
    this.step = step;
    this.process = process;
    this.expected = process.output?.bytes ?? 0;
    this.element.setAttribute("aria-label", O.label(plain(process.name || process.id)));
    this.sized.observe(this.element);
    this.follow = process.state !== "done";
    this.load();
  }

  stop() {
    this.sized.disconnect();
    this.asked = null;
    this.clear();
  }

  /** Page after page, each shown as it comes. */
  async load() {
    if (this.loading) return;
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.loading = true;
    this.problem = null;
    let room = ENOUGH;
    const had = this.size;
    try {
      do {
        const query = new URLSearchParams(this.organization ? { organization: this.organization } : {});
        if (this.attempt) query.set("attempt", String(this.attempt));
        if (this.step) query.set("step", this.step);
        if (this.mark) query.set("from", String(this.mark));
        const answer = await ask(`/api/v1/processes/${encodeURIComponent(this.id)}/output`, { query, signal });
        if (signal.aborted) return;
        const before = this.size;
        for (const piece of answer.output ?? []) this.add(piece);
        room -= this.size - before;
        this.next = answer.next ?? null;
        this.mark = this.next ?? this.mark;
        this.update();
      } while (this.next && room > 0);
      this.whole = !this.next;
      if (this.size > had) this.tries = 0;
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.status === 401) return void this.app.toLogin();
      this.problem = error;
    } finally {
      if (!signal.aborted) this.loading = false;
    }
    this.update();
    this.heard(this.process);
  }

  add({ step = "", stream = "", offset = 0, text = "", at }) {
    const lines = String(text).split("\n");
    if (lines.at(-1) === "" && lines.length > 1) lines.pop();
    let begin = offset ?? 0;
    for (const line of lines) {
      // Who does not count bytes is told apart by time and text.
      const key = `${step} ${stream} ${offset === null ? `${at} ${line}` : begin}`;
      const size = sizeOf(line) + 1;
      begin += size;
      if (this.seen.has(key)) continue;
      this.seen.add(key);
      if (offset === null) this.seen.add(uncounted({ step, stream, text: line, at }));
      this.lines.push({ text: uncoloured(line).replace(/\r$/, ""), stream, step, at: Date.parse(at) });
      this.size += size;
    }
  }

  /** Lines that came by the stream, once the history is there; it is asked for what lies between. */
  heard(process) {
    this.process = process;
    this.expected = process.output?.bytes ?? this.expected;
    if (!this.whole || this.loading) return;
    const { lines: carried = [], total = 0 } = process.output ?? {};
    const listed = carried.filter((line) => !this.step || line.step === this.step);
    const fresh = listed.filter((line) => !this.seen.has(`${line.step} ${line.stream} ${line.offset}`) && !this.seen.has(uncounted(line)));
    if (!fresh.length) return;
    if (fresh.length === listed.length && total > carried.length && this.tries < TRIES) {
      // More may have come than the stream carries: the history has the rest as soon as it is stored.
      this.later ||= setTimeout(() => {
        this.later = 0;
        this.tries += 1;
        this.load();
      }, STORED);
      return;
    }
    for (const line of fresh) this.add(line);
    this.update();
  }

  until(moment) {
    this.at = moment;
    this.update();
  }

  find(text) {
    this.wanted = text.toLowerCase();
    this.update();
  }

  update() {
    const bottom = this.follow;
    const { at, wanted } = this;
    this.visible =
      at === null && !wanted
        ? this.lines
        : this.lines.filter((line) => (at === null || !(line.at > at)) && (!wanted || line.text.toLowerCase().includes(wanted)));
    const height = this.visible.length * LINE;
    this.space.style.height = `${Math.min(height, TALLEST)}px`;
    if (bottom || at !== null) this.element.scrollTop = this.element.scrollHeight;
    this.draw();
    this.changed();
  }

  draw() {
    const { element, visible } = this;
    const room = element.clientHeight;
    if (!room) return;
    const height = Math.min(visible.length * LINE, TALLEST);
    const reach = Math.max(1, height - room);
    // Where the bar stands for more than its pixels, its share is the share of all lines.
    const first =
      visible.length * LINE <= TALLEST
        ? Math.floor(element.scrollTop / LINE)
        : Math.floor((element.scrollTop / reach) * Math.max(0, visible.length - Math.floor(room / LINE)));
    const from = Math.max(0, first - SPARE);
    const to = Math.min(visible.length, first + Math.ceil(room / LINE) + SPARE);
    this.window.style.transform = `translateY(${visible.length * LINE <= TALLEST ? from * LINE : element.scrollTop - (first - from) * LINE}px)`;
    const shown = visible.slice(from, to);
    render(
      shown.map(
        (line, i) => html`<div class=${`line ${line.stream === "stderr" ? "stderr" : ""}`}><span class="number" data-n=${from + i + 1}></span><span
          data-tip=${line.at ? exact(new Date(line.at).toISOString(), this.app.zone) : nothing}>${line.text.length > WIDEST ? html`${word(line.text.slice(0, WIDEST), { limit: WIDEST })}<span class="quiet">${O.clipped}</span>` : word(line.text, { limit: WIDEST })}</span></div>`,
      ),
      this.window,
    );
  }

  /** Who scrolls up reads: then new lines do not move what is read. */
  scrolled() {
    this.draw();
    const { element } = this;
    const follow = element.scrollTop + element.clientHeight >= element.scrollHeight - LINE;
    if (follow === this.follow || this.at !== null) return;
    this.follow = follow;
    this.changed();
  }

  save(name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.lines.map((line) => `${line.text}\n`).join("")], { type: "text/plain" }));
    link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80) || "output"}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  view(process, choose) {
    const nameOfStep = (step) => plain(step.name || step.id, 80);
    const state = this.problem
      ? html`<span class="bad" role="alert">${icon("circle-x")} ${sentences(O.failed, plain(this.problem.document?.detail ?? this.problem.message, 300))} <button type="button" class="link" @click=${() => this.load()}>${texts.controls.again}</button></span>`
      : this.loading
        ? O.loading(bytes(this.size), bytes(Math.max(this.size, this.expected)))
        : this.wanted
          ? O.found(this.visible.length)
          : O.size(bytes(this.size), this.visible.length);
    return html`<section class="panel output-panel" id="output" aria-labelledby="output-title"><div class="output-bar"><h2 id="output-title">${O.title}</h2>
      <label><span class="unseen">${O.step}</span><select id="output-step" @change=${(event) => choose(event.target.value)}><option value="" .selected=${!this.step}>${O.step}: ${O.everyStep}</option>
        ${(process.steps ?? []).map((step) => html`<option value=${step.id} .selected=${step.id === this.step}>${nameOfStep(step)}</option>`)}</select></label>
      <label class="find-output"><span class="unseen">${O.find}</span><input type="search" id="find-output" maxlength="200" placeholder=${O.find} autocomplete="off" spellcheck="false" @input=${(event) => this.find(event.target.value)} /></label>
      <span class="quiet status" role="status">${state}</span><span class="spring"></span>
      ${this.next && !this.loading ? html`<button type="button" class="button" @click=${() => this.load()}>${O.more}</button>` : nothing}
      <button type="button" class="button" ?disabled=${!this.lines.length} @click=${() => this.save(process.name || process.id)}>${icon("download")}<span>${O.save}</span></button></div>
      ${this.lines.length || this.loading || this.later ? this.element : html`<p class="quiet none-said">${process.ended && process.output?.bytes ? O.gone : O.none}</p>`}
      ${this.lines.length && !this.follow && this.at === null ? html`<button type="button" class="pill newest" @click=${() => {
        this.element.scrollTop = this.element.scrollHeight;
        this.draw();
      }}>${O.follow}</button>` : nothing}</section>`;
  }
}
