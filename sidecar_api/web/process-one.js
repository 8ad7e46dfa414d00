// One process: as it is now, or as it went. A finished one is replayed from its entries.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { Problem, ask } from "./api.js";
import { organization } from "./columns.js";
import { icon, resourceIcon } from "./icons.js";
import { caseOf } from "./place.js";
import { failure as failed } from "./states.js";
import { exact } from "./time.js";
import { plain, sentences, word } from "./words.js";
import { nameOf, orphan, progressBar, receipt, requests, stalledNote, steps, target } from "./process-card.js";
import { buttons } from "./process-controls.js";
import { Output } from "./process-output.js";
import { Replay } from "./process-replay.js";
import { ProcessStream, merge } from "./process-stream.js";
import { badge, badges, channelIcon, channelLabel, isOpen, span, starter, stateName, texts, tick, took } from "./process-words.js";

const R = texts.replay,
  ONE = texts.one;
const SPEEDS = [1, 2, 5, 10, 60, 600];
const PATIENCE = 45;
const FRAME = 100;

export class OneProcess {
  constructor(app) {
    this.app = app;
    this.output = new Output(app, () => this.later());
    this.clear();
  }

  clear() {
    this.process = null;
    this.replay = null;
    this.moment = null;
    this.playing = false;
    this.speed = 0;
    this.problem = null;
    this.loading = false;
    this.replayProblem = null;
  }

  stop() {
    this.stream?.stop();
    this.stream = null;
    this.abort?.abort();
    this.output.stop();
    clearInterval(this.clock);
    clearTimeout(this.soon);
    clearTimeout(this.player);
    this.soon = 0;
    this.id = null;
    this.clear();
  }

  get path() {
    return `/api/v1/processes/${encodeURIComponent(this.id)}`;
  }

  query(more = {}) {
    return new URLSearchParams({ ...(this.organization ? { organization: this.organization } : {}), ...more });
  }

  async load() {
    const { app } = this;
    const id = app.place.subject;
    const organization = app.place.filters.find(([name]) => name === "organization")?.[1] ?? "";
    if (this.id === id && this.organization === organization && this.process) return this.show();
    this.stop();
    this.id = id;
    this.organization = organization;
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.stream = new ProcessStream({ process: id, organization });
    this.stream.addEventListener("processes", () => this.heard());
    this.stream.addEventListener("state", () => app.lenses.processes.connection());
    this.stream.start();
    this.clock = setInterval(() => tick(document.querySelector("#main") ?? document, this.stream?.skew), 1000);
    app.render();
    try {
      const answer = await ask(this.path, { query: this.query(), signal });
      if (signal.aborted) return undefined;
      // The stream may have said more by now, or begin in the middle of what is long over.
      this.told = answer.process;
      app.problem = null;
      this.process = this.current() ?? this.told;
      this.show();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return undefined;
      if (error.status === 401) return void app.toLogin();
      if (!(error instanceof Problem)) throw error;
      if (!this.process) app.problem = this.problem = error;
    }
    app.render();
    return undefined;
  }

  current() {
    const all = [...(this.stream?.processes.values() ?? [])].filter((one) => one.id === this.id && (!this.organization || one.organization?.id === this.organization));
    return all[0]?.steps && all[0].state ? all[0] : null;
  }

  heard() {
    const now = this.current();
    if (!now) return;
    const before = this.process;
    // A delta to what ended long ago begins with nothing: the history knows the rest.
    this.process = now.name === undefined && this.told ? { ...this.told, ...now } : now;
    this.problem = null;
    if (!before || before.attempt !== now.attempt || before.state !== now.state) {
      this.replay = this.moment = null;
      this.playing = false;
      clearTimeout(this.player);
    }
    this.show();
    this.output.heard(this.process);
    this.later();
  }

  /** Opens the output that belongs to what is shown. */
  show() {
    const step = this.app.place.filters.find(([name]) => name === "step")?.[1] ?? "";
    if (this.process) this.output.open(this.process, { attempt: this.process.attempt, step });
    this.later();
  }

  noted(process, request) {
    if (!request?.id || !this.process || this.process.requests?.some((one) => one.id === request.id)) return;
    this.process = merge(this.process, { id: process.id, requests: [request] });
    this.later();
  }

  later() {
    if (this.soon) return;
    this.soon = setTimeout(() => {
      this.soon = 0;
      this.app.render();
      tick(document.querySelector("#main") ?? document, this.stream?.skew);
    }, 50);
  }

  // -- replay ---------------------------------------------------------------------------------------

  async prepare() {
    if (this.replay || this.loading) return;
    this.loading = true;
    this.replayProblem = null;
    this.later();
    try {
      const { frames, whole } = await ask(`${this.path}/replay`, { query: this.query(), signal: this.abort.signal });
      this.replay = Object.assign(new Replay(this.process, frames), { whole });
      const fitting = SPEEDS.find((speed) => this.replay.length / 1000 / speed <= PATIENCE);
      this.speed ||= fitting ?? SPEEDS.at(-1);
      this.moment ??= this.replay.end;
    } catch (error) {
      if (error.name !== "AbortError") this.replayProblem = error;
    }
    this.loading = false;
    this.later();
  }

  async toggle() {
    await this.prepare();
    if (!this.replay) return;
    this.playing = !this.playing;
    if (this.playing && this.moment >= this.replay.end) this.seek(this.replay.begin);
    clearTimeout(this.player);
    if (this.playing) this.advance(performance.now());
    this.later();
  }

  advance(before) {
    const now = performance.now();
    this.seek(this.moment + (now - before) * this.speed);
    if (this.moment >= this.replay.end) this.playing = false;
    else if (this.playing) this.player = setTimeout(() => this.advance(now), FRAME);
    this.later();
  }

  seek(moment) {
    this.moment = Math.min(this.replay.end, Math.max(this.replay.begin, moment));
    this.output.until(this.moment >= this.replay.end ? null : this.moment);
    this.later();
  }

  async move(by) {
    await this.prepare();
    if (this.replay) this.seek((this.moment ?? this.replay.end) + by);
  }

  key({ key, target }) {
    if (!this.process || isOpen(this.process) || target.closest?.("input, select, button, summary, a, .output")) return false;
    if (key === " ") this.toggle();
    else if (key === "ArrowLeft") this.move(-this.stride);
    else if (key === "ArrowRight") this.move(this.stride);
    else return false;
    return true;
  }

  get stride() {
    return Math.max(100, (this.replay?.length ?? 0) / 50);
  }

  bar() {
    const { replay } = this;
    const length = replay?.length ?? (this.process.duration_ms || 0);
    const at = replay ? this.moment - replay.begin : length;
    const ended = !replay || this.moment >= replay.end;
    const spoken = R.of(span(at), span(length));
    return html`<section class="panel replay" aria-label=${R.title}><button type="button" class="button" id="play" aria-keyshortcuts="Space" ?disabled=${this.loading}
        @click=${() => this.toggle()}>${icon(this.playing ? "pause" : "play")}<span>${this.loading ? `${R.loading}…` : this.playing ? R.pause : R.play}</span></button>
      <input type="range" id="position" min="0" max=${Math.max(1, Math.round(length))} step=${Math.max(1, Math.round(length / 1000))} .value=${String(Math.round(at))} aria-label=${R.position} aria-valuetext=${spoken}
        @focus=${() => this.prepare()} @pointerdown=${() => this.prepare()}
        @input=${async (event) => {
          const wanted = Number(event.target.value);
          await this.prepare();
          if (this.replay) this.seek(wanted >= Math.round(length) ? this.replay.end : this.replay.begin + wanted);
        }} />
      <span class="moment">${spoken}</span>
      <label><span class="unseen">${R.speed}</span><select id="speed" @change=${(event) => {
        this.speed = Number(event.target.value);
        this.later();
      }}>${SPEEDS.map((speed) => html`<option value=${speed} .selected=${speed === (this.speed || 1)}>${R.times(speed)}</option>`)}</select></label>
      <span class="quiet when-shown">${ended ? R.end : html`<time datetime=${new Date(this.moment).toISOString()}>${exact(new Date(this.moment).toISOString(), this.app.zone)}</time>`}</span>
      ${replay?.whole === false ? html`<p class="quiet" id="replay-cut">${icon("info")} ${R.cut}</p>` : nothing}${this.replayProblem ? html`<p class="bad" role="alert">${icon("circle-x")} ${sentences(R.failed, plain(this.replayProblem.message, 300))}</p>` : nothing}</section>`;
  }

  // -- the page ---------------------------------------------------------------------------------------

  facts(process) {
    const { zone } = this.app;
    const time = (iso) => (iso ? html`<time datetime=${iso}>${exact(iso, zone)}</time>` : nothing);
    const rows = [
      [ONE.channel, html`${word(channelLabel(process.channel))}`],
      [ONE.target, process.target ? html`${icon(resourceIcon(process.target.type))} ${target(process)}` : nothing],
      [ONE.server, process.server ? word(process.server.name) : nothing],
      [ONE.account, process.cloud_account ? word(process.cloud_account.name) : nothing],
      [ONE.where, process.organization?.id ? organization(process.organization) : nothing],
      [ONE.project, word(process.project)],
      [ONE.workspace, word(process.workspace)],
      [ONE.environment, word(process.environment)],
      [ONE.by, starter(process)],
      [ONE.started, time(process.started)],
      [ONE.ended, time(process.ended)],
      [ONE.took, took(process, zone, isOpen(process) && !process.stalled && !process.past)],
      [ONE.expected, isOpen(process) && !process.past ? time(process.lease) : nothing],
      [ONE.id, html`<span class="mono">${word(process.id)}</span>`],
    ];
    return html`<dl class="process-facts">${rows.filter(([, value]) => value !== nothing).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
  }

  attempts(process) {
    if (!process.attempts?.length) return nothing;
    const { zone } = this.app;
    return html`<section class="panel attempts" aria-labelledby="attempts-title"><h2 id="attempts-title">${texts.earlier}</h2><ol>${[...process.attempts].reverse().map(
      (one) => html`<li>${badge(one.state)} <strong>${texts.earlierOne(one.attempt, stateName(one.state).toLowerCase())}</strong>
        ${one.started ? html`<time class="quiet" datetime=${one.started}>${exact(one.started, zone).replace(/\.\d+/, "")}</time>` : nothing}
        ${one.step ? html`<p>${texts.failedAt(plain(one.step, 200))}</p>` : nothing}${one.error ? html`<p class="mono wrapped">${word(one.error, { limit: 500 })}</p>` : nothing}</li>`,
    )}</ol></section>`;
  }

  named() {
    return html`<div class="one-head"><h1><span>${word(this.id ?? this.app.place.subject, { limit: 200 })}</span></h1></div>`;
  }

  view() {
    const { app } = this;
    const back = html`<p class="back"><a href="/processes">${icon("arrow-left")}${ONE.back}</a></p>`;
    if (this.problem && !this.process) {
      if (this.problem.status === 404)
        return html`${back}<div class="panel"><div class="blank" role="alert" id="failure">${icon("circle-slash")}<h1>${ONE.none}</h1><p>${ONE.noneHint}</p></div></div>`;
      return html`${back}${this.named()}<div class="panel">${failed(app)}</div>`;
    }
    if (!this.process) return html`${back}${this.named()}${bones()}`;
    const past = this.replay && this.moment < this.replay.end;
    const process = (past ? this.replay.when(this.moment) : null) ?? this.process;
    const over = !isOpen(this.process);
    return html`${back}<div class="one-head"><h1>${icon(channelIcon(process.channel))}<span>${word(nameOf(process))}</span></h1>${badges(process)}
        ${process.attempt > 1 ? html`<span class="quiet">${texts.attempt(process.attempt)}</span>` : nothing}<span class="spring"></span>${over && !this.stream?.processes.size ? nothing : app.lenses.processes.indicator()}</div>
      ${over ? this.bar() : nothing}
      <div class="one"><div class="one-side"><section class=${`panel one-steps ${past ? "past" : ""}`} aria-label=${texts.steps}>${progressBar(process)}
        ${stalledNote(process, app.zone)}${process.steps?.length ? steps(process, app.zone, { output: false }) : html`<p class="quiet">${texts.noSteps}</p>`}
        ${orphan(process)}${requests(process, app.zone, { all: true })}${receipt(process)}
        <footer>${past ? nothing : buttons(app, process)}<span class="spring"></span>${
          process.case ? html`<a href=${caseOf(process.case)}>${texts.case}${icon("arrow-right")}</a>` : nothing
        }</footer></section>
        ${this.attempts(process)}
        <section class="panel about">${this.facts(process)}</section></div>
      ${this.output.view(process, (step) => app.setFilters([...app.place.filters.filter(([name]) => name !== "step"), ...(step ? [["step", step]] : [])]))}</div>`;
  }
}

const bones = () => {
  const panel = (lines) => html`<div class="panel bones">${Array.from({ length: lines }, () => html`<p><span class="bone"></span></p>`)}</div>`;
  return html`<div class="one" aria-hidden="true"><div class="one-side">${panel(6)}${panel(8)}</div>${panel(16)}</div>`;
};
