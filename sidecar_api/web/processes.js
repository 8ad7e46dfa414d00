// Active Processes: which part of the lens is shown, and how it hears of what happens.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { icon } from "./icons.js";
import { isProcesses } from "./place.js";
import { relative } from "./time.js";
import { pick, plain, sentences } from "./words.js";
import { LiveProcesses } from "./process-live.js";
import { Operations } from "./process-history.js";
import { OneProcess } from "./process-one.js";
import { learnChannels, ownOnly, texts } from "./process-words.js";

const STYLES = "/static/styles/processes.css";

function dress() {
  if (document.querySelector(`link[href="${STYLES}"]`)) return Promise.resolve();
  return new Promise((done) => {
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href: STYLES, onload: done, onerror: done });
    document.head.append(link);
  });
}

export class Lens {
  constructor(app) {
    this.app = app;
    this.arrived = false;
    this.live = new LiveProcesses(app);
    this.history = new Operations(app);
    this.one = new OneProcess(app);
    this.ready = Promise.all([dress(), ask("/api/v1/channels").then(learnChannels, () => {})]);
  }

  get part() {
    const { view, tab } = this.app.place;
    return view === "process" ? this.one : tab === "history" ? this.history : this.live;
  }

  get waiting() {
    const { part } = this;
    if (part !== this.live) return !part.answer && !part.process;
    return !part.stream || (!part.stream.heard && part.stream.state.phase === "connecting");
  }

  /** The place has changed, or is to be read again. */
  async arrive() {
    await this.ready;
    const { part, app } = this;
    if (!isProcesses(app.place.view)) return; // left while this waited
    this.arrived = true;
    for (const other of [this.live, this.history, this.one]) if (other !== part) other.stop();
    const held = new Map(app.place.filters);
    if (part === this.live)
      part.watch({ channel: held.get("channel"), organization: held.get("organization"), show: held.get("show") });
    else await part.load();
  }

  leave() {
    for (const part of [this.live, this.history, this.one]) part.stop();
  }

  redraw(key) {
    if (this.part === this.live && this.live.stream) {
      this.live.drawCard(key);
      this.live.tick();
    }
    this.app.render();
  }

  asked(process, request) {
    this.part.noted?.(process, request);
  }

  /** The connection changed: said once, not with every second of waiting. */
  connection() {
    const { stream } = this.part;
    if (!stream) return; // another part is shown by now
    const { phase, via, recovered, staleSince } = stream.state;
    const said = `${phase} ${via} ${recovered} ${staleSince}`;
    if (said !== this.said && (phase === "live" || phase === "waiting" || phase === "ended")) {
      this.said = said;
      this.app.announce(this.words(stream).join(", "));
    }
    if (phase === "ended" && stream.state.ended === "signed_out") this.app.toLogin();
    this.app.render();
  }

  words(stream) {
    const C = texts.connection;
    const { phase, via, recovered, resumedAt, retryAt, staleSince } = stream.state;
    if (phase === "ended") return [C.ended, C.ends[stream.state.ended] ?? ""];
    if (phase === "waiting")
      return [C.waiting, C.again(Math.ceil((retryAt - Date.now()) / 1000)), ...(stream.heard ? [C.kept] : [])];
    if (phase === "connecting") return [C.connecting];
    const ago = resumedAt ? relative(new Date(resumedAt).toISOString()) : "";
    return [
      `${via === "polling" ? C.polling : C.live} · ${C.via[via] ?? via}`,
      ...(ago && recovered === true ? [C.nothingMissed(ago)] : []),
      ...(ago && recovered === false ? [C.anew(ago)] : []),
      ...(staleSince ? [C.stale] : []),
    ];
  }

  indicator() {
    const { stream } = this.part;
    if (!stream) return nothing;
    const { phase, via, staleSince } = stream.state;
    const kind = phase === "live" ? (via === "polling" || staleSince ? "polling" : "on") : phase;
    return html`<div class="connection" id="connection" role="group" aria-label=${texts.connection.label} data-via=${via} data-phase=${phase}>
      <span class=${`live ${kind}`}>${phase === "waiting" ? icon("wifi-off") : html`<span class="dot" aria-hidden="true"></span>`}</span>
      <span>${this.words(stream).filter(Boolean).join(", ")}</span>
      ${phase === "waiting" ? html`<button type="button" class="link" @click=${() => stream.connect()}>${texts.connection.now}</button>` : nothing}
      ${phase === "ended" ? html`<button type="button" class="link" @click=${() => window.location.reload()}>${texts.connection.reload}</button>` : nothing}</div>`;
  }

  denied() {
    const { stream } = this.part;
    const state = stream?.state;
    if (state?.phase !== "ended" || state.ended !== "forbidden" || stream.heard) return nothing;
    const D = texts.denied;
    const said = state.error?.said ?? {};
    return html`<div class="panel"><div class="blank" role="alert" id="failure">${icon("lock")}<h2>${D.title}</h2>
      <p>${sentences(plain(said.detail ?? D.permission, 400), plain(said.hint ?? D.hint, 400))}</p></div></div>`;
  }

  unreachable() {
    const { stream } = this.part;
    if (!stream || stream.heard || stream.state.phase !== "waiting") return nothing;
    return html`<div class="panel"><div class="blank" role="alert" id="failure">${icon("wifi-off")}<h2>${texts.connection.waiting}</h2>
      <p>${plain(pick(texts.connection.why, stream.state.reason) ?? stream.state.reason, 400)}</p><p class="choices"><button type="button" class="button primary" @click=${() => stream.connect()}>${texts.connection.now}</button></p></div></div>`;
  }

  view() {
    const { app, part } = this;
    if (this.zone !== app.zone) {
      this.zone = app.zone;
      this.live.redrawAll();
    }
    if (part === this.one) return html`<main id="main" class="lens" tabindex="-1">${part.view()}</main>`;
    const T = texts.tabs;
    const kept = app.place.filters.filter(([name]) => name === "organization" || name === "channel");
    const link = (tab, label, on) => {
      const query = new URLSearchParams(kept);
      if (tab) query.set("tab", tab);
      const text = query.toString();
      return html`<a class="tab" href=${`/processes${text ? `?${text}` : ""}`} aria-current=${on ? "page" : nothing}>${label}</a>`;
    };
    const denied = this.denied();
    const lost = this.unreachable();
    const own = denied === nothing ? ownOnly(app) : "";
    return html`<main id="main" class="lens" tabindex="-1"><h1 class="unseen">Active processes</h1>
      <div class="lens-bar"><nav class="lens-tabs" aria-label=${T.label}>${link("", T.live, part === this.live)}${link("history", T.history, part === this.history)}</nav>
      ${part === this.live ? this.live.bar() : nothing}<span class="spring"></span>${this.indicator()}</div>
      ${own ? html`<p class="note" id="own-only">${icon("info")}<span>${own}</span></p>` : nothing}
      ${denied !== nothing ? denied : lost !== nothing ? lost : part.view()}</main>`;
  }

  /** Keys of the lens; true where one was for it. */
  key(event) {
    return this.part.key?.(event) ?? this.walk(event);
  }

  walk({ key, shiftKey, target }) {
    if (shiftKey) return false;
    const by = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (!by || (key.startsWith("Arrow") && target !== document.body && !target.matches("a[data-process]"))) return false;
    const stops = [...document.querySelectorAll("#main a[data-process]")];
    if (!stops.length) return false;
    const within = document.activeElement.closest?.("li, tr")?.querySelector("a[data-process]");
    const at = stops.indexOf(within);
    const next = stops[at === -1 ? (by > 0 ? 0 : stops.length - 1) : Math.min(stops.length - 1, Math.max(0, at + by))];
    next.focus({ preventScroll: true });
    next.closest("li, tr").scrollIntoView({ block: "nearest" });
    return true;
  }
}
