// The frame around every view: head, tabs, the controls of the table, help.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { activities, texts } from "./texts.js";
import * as filters from "./filters.js";
import * as views from "./views.js";
import * as exporting from "./exporting.js";
import { DEFAULTS, SETS } from "./columns.js";
import { failures, histogram } from "./histogram.js";
import { icon } from "./icons.js";
import { pager } from "./pager.js";
import { isAgents, isProcesses, lensOf, trailOf, within } from "./place.js";
import * as reading from "./reading.js";
import { empty, failure } from "./states.js";
import { resetLayout, table } from "./table.js";
import { plain } from "./words.js";

const N = texts.nav;

function organizations(app) {
  const known = app.me?.organizations ?? [];
  const here = organizationOf(app.place);
  if (!known.length && !here) return nothing;
  const listed = known.some((one) => one.id === here) || !here ? known : [{ id: here, name: here }, ...known];
  return html`<label class="organization"><span class="unseen">${texts.organization.label}</span><select id="organization"
    @change=${(event) => app.chooseOrganization(event.target.value)}>
    <option value="" .selected=${!here}>${texts.organization.all}</option>
    ${listed.map(
      (one) => html`<option value=${one.id}
      .selected=${one.id === here}>${plain(one.name || one.id, 60)}</option>`,
    )}</select></label>`;
}

/** The one that all of the page is about; of several, which entries alone can be filtered by, none. */
function organizationOf({ view, organization, filters: held }) {
  const [first, ...others] = held.filter(([name]) => name === "organization");
  return isProcesses(view) || isAgents(view) ? (others.length ? "" : (first?.[1] ?? "")) : organization;
}

function tabs(app) {
  const { view } = app.place;
  const organization = organizationOf(app.place);
  const audit = organization ? trailOf(organization) : "/audit";
  const security = views.current(app) === texts.views.security;
  const link = (href, label, on) => html`<a href=${href} aria-current=${on ? "page" : nothing}>${label}</a>`;
  const here = organization ? `?organization=${encodeURIComponent(organization)}` : "";
  return html`<nav class="tabs" aria-label=${N.label}>
    ${link(`/processes${here}`, N.processes, isProcesses(view))}
    ${link(audit, N.audit, (view === "audit" || view === "organization") && !security)}
    ${link(`/ai${here}`, N.ai, isAgents(view))}
    ${link(`${audit}?${views.BUILT_IN[0].query}`, N.security, security)}</nav>`;
}

function liveState(app) {
  const follower = app.lens?.follower;
  const { state } = follower ?? app.live;
  // A lens without a follower says in its body how it is connected.
  if (!(app.place.view in DEFAULTS || (follower && app.lens.part?.heard)) || (app.problem && !app.answer)) return nothing;
  const paused = !app.following;
  const label = paused ? texts.live.off : state === "off" ? texts.live.connecting : texts.live[state];
  return html`<button type="button" class=${`ghost live ${paused ? "off" : state}`} id="live"
    aria-label=${`${label}. ${paused ? texts.live.resume : texts.live.pause}`} @click=${() => app.switchLive()}>
    <span class="dot" aria-hidden="true"></span><span>${label}</span></button>`;
}

function header(app) {
  const theme = app.theme;
  const reader = app.me?.reader;
  const name = reader ? reading.personName(reader) : "";
  return html`<a class="skip"
    href=${lensOf(app.place.view) ? "#main" : "#activities"}>${lensOf(app.place.view) ? texts.skipToMain : texts.skip}</a>
  <header class="top"><a class="brand" href="/"

      aria-label=${texts.product}><img src="/static/favicon.svg" alt="" width="18" height="18" /><span>${texts.product}</span></a>
    ${organizations(app)}${tabs(app)}<span class="spring"></span>${liveState(app)}
    <button type="button" class="ghost" id="zone"
      aria-label=${`${texts.zone[app.zone]}. ${texts.zone.switchTo[app.zone]}`}
      data-tip=${texts.zone.switchTo[app.zone]}
      @click=${() => app.switchZone()}>${icon("clock")}<span>${texts.zone[app.zone]}</span></button>
    <button type="button" class="ghost" id="theme" aria-label=${texts.theme.next(texts.theme[theme])}
      data-tip=${texts.theme[theme]}
      @click=${() => app.switchTheme()}>${icon({ system: "monitor", light: "sun", dark: "moon" }[theme])}</button>
    <button type="button" class="ghost keys-button" id="help" aria-label=${texts.help} aria-keyshortcuts="?"
      data-tip=${texts.help} @click=${() => app.showHelp()}>${icon("keyboard")}</button>
    ${
      reader
        ? html`<button type="button" class="ghost" id="account" aria-haspopup="dialog"
      aria-label=${`${reading.initials(name)}, ${texts.account.label}: ${plain(name)}`}
      @click=${(event) => app.openMenu("account", event.currentTarget)}><span class="avatar"
      aria-hidden="true">${reading.initials(name)}</span></button>`
        : nothing
    }
  </header>`;
}

function account(app) {
  const { reader, organizations: known = [] } = app.me;
  const roles = (reader.platform_roles ?? [])
    .map((role) => [texts.account.platform, role])
    .concat(known.flatMap((one) => (one.roles ?? []).map((role) => [one.name || one.id, role])));
  return html`<p><strong>${plain(reading.personName(reader))}</strong><br /><span class="quiet">${plain(reader.email || reader.id)}</span></p>
    ${roles.length ? html`<dl class="roles">${roles.slice(0, 12).map(([where, role]) => html`<div><dt>${plain(where)}</dt><dd>${plain(reading.humanize(role))}</dd></div>`)}</dl>` : nothing}
    <button type="button" class="button wide"
      @click=${() => app.signOut()}>${icon("log-out")}<span>${texts.account.signOut}</span></button>`;
}

function columnSets(app) {
  return html`<h3>${texts.columns.title}</h3><ul class="options">${Object.keys(SETS).map(
    (set) => html`<li><button type="button" class="option"
    aria-pressed=${set === app.set ? "true" : "false"}
    @click=${() => {
      app.chooseSet(set);
      app.closeMenu();
    }}><span>${texts.sets[set]}</span>${icon("check")}</button></li>`,
  )}</ul>
    <button type="button" class="link"
      @click=${() => {
        resetLayout(app.set);
        app.closeMenu();
        app.render();
      }}>${texts.columns.reset}</button>`;
}

/** Arrow keys move between the field to search in and what it found. */
function moveInMenu(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.target.closest("select, [type=datetime-local], [type=radio]")) return;
  const stops = [...event.currentTarget.querySelectorAll(".find, button.option, .option input")];
  const next = stops[stops.indexOf(event.target) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

export function popover(app) {
  const { menu } = app;
  const body = menu
    ? { filter: filters.menu, columns: columnSets, views: views.menu, export: exporting.menu, evidence: () => app.lens?.evidence(), account }[
        menu.kind
      ](app)
    : nothing;
  const name = menu
    ? {
        filter: texts.filters.title,
        columns: texts.columns.title,
        views: texts.views.button,
        export: texts.exporting.title,
        evidence: texts.exporting.evidence,
        account: texts.account.label,
      }[menu.kind]
    : nothing;
  return html`<div id="menu" class=${`menu ${menu?.kind ?? ""}`} popover="auto" role="dialog" aria-label=${name}
    @toggle=${(event) => {
      if (event.newState === "closed") app.menuClosed();
    }} @keydown=${moveInMenu}>
    <button type="button" class="chip-drop sheet-close" aria-label=${texts.filters.close}
      @click=${() => app.closeMenu()}>${icon("x")}</button>${body}</div>`;
}

/** Below what opened it, as far as the window goes. */
export function placeMenu(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, window.innerWidth - menu.offsetWidth - 8));
  menu.style.setProperty("--menu-left", `${left}px`);
  menu.style.setProperty("--menu-top", `${Math.min(box.bottom + 6, window.innerHeight - 160)}px`);
}

export function help() {
  const K = texts.keys;
  return html`<dialog id="keys" aria-labelledby="keys-title"><h2 id="keys-title">${K.title}</h2>
    <dl>${K.list.map(([keys, what]) => html`<div><dt>${keys.split(/\s{2}|(?<=g) /).map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
    <form method="dialog"><button type="submit" class="button">${K.close}</button></form></dialog>`;
}

function toolbar(app) {
  const total = app.answer?.page.total;
  const view = views.current(app);
  return html`<div class="toolbar">${filters.searchField(app)}
    <button type="button" class="button" id="columns" aria-haspopup="dialog"

        @click=${(event) => app.openMenu("columns", event.currentTarget)}>${icon("columns-3")}<span>${texts.columns.button}<span class="rest-text">: ${texts.sets[app.set]}</span></span>${icon("chevron-down")}</button>
    <button type="button" class="button" id="views" aria-haspopup="dialog"

        @click=${(event) => app.openMenu("views", event.currentTarget)}>${icon("star")}<span>${view || texts.views.button}</span>${icon("chevron-down")}</button>
    <button type="button" class="button" id="export" aria-haspopup="dialog" ?disabled=${!total}

        @click=${(event) => app.openMenu("export", event.currentTarget)}>${icon("download")}<span>${texts.exporting.button}<span class="rest-text"> ${total === undefined ? nothing : activities(total)}</span></span></button></div>`;
}

/** The parts of AI activity, each an address. */
export function agentTabs(app) {
  const { view } = app.place;
  const here = filters.whenAndWhose(app.place.filters);
  const link = (name, href) => html`<a class="tab" href=${within(href, here)} aria-current=${view === name ? "page" : nothing}>${N.agents[name]}</a>`;
  return html`<div class="lens-bar"><nav class="lens-tabs" aria-label=${N.ai}>${link("ai", "/ai")}${link("agents", "/agents")}${link("oversight", "/ai/oversight")}${link("entries", "/ai/entries")}</nav></div>`;
}

/** What the pill says; where there is little room without its last word. */
function pillText(text) {
  const at = text.lastIndexOf(" ");
  return html`${text.slice(0, at)}<span class="wide-only">${text.slice(at)}</span>`;
}

function trail(app) {
  const { answer, problem } = app;
  const nothingFound = answer && !answer.activities.length;
  const denied = problem && (!answer || problem.status === 403 || problem.status === 404);
  const own = denied || nothingFound ? "" : reading.ownOnly(app.me, app.place);
  const failed = answer?.histogram ? failures(answer.histogram) : 0;
  const summary = answer && !denied ? texts.summary(answer.page.total, failed) : nothing;
  return html`<main id="main"><h1 class="unseen">${texts.titles[app.place.view]}</h1>${app.place.view === "entries" ? agentTabs(app) : nothing}${toolbar(app)}
    <div class="chips-line">${filters.chips(app)}<span class="summary"
      aria-hidden="true">${summary}</span></div>
    <div class="pill-line">${
      app.live.fresh
        ? html`<button type="button" class="pill" id="fresh"
      aria-label=${texts.showFresh(app.live.fresh, app.live.more)}
      @click=${() => app.refresh()}>${icon("arrow-up")}${pillText(texts.fresh(app.live.fresh, app.live.more))}</button><span class="beside" aria-hidden="true">${summary}</span>`
        : nothing
    }</div>
    ${problem && !denied ? failure(app) : nothing}
    ${own ? html`<p class="note" id="own-only">${icon("info")}<span>${plain(own, 400)}</span></p>` : nothing}
    ${app.lost ? html`<p class="note" id="lost" role="alert">${icon("info")}<span>${app.lost}</span></p>` : nothing}
    <div class="panel">${denied ? failure(app) : html`${histogram(app)}${nothingFound ? empty(app) : table(app)}${nothingFound ? nothing : pager(app)}`}</div>
  </main>`;
}

function home(app) {
  const here = app.me?.organizations?.length === 1 ? app.me.organizations[0].id : nothing;
  return html`<main id="main" class="home"><h1 class="unseen">${texts.titles.home}</h1>
    <activity-recent organization=${here} @signed-out=${() => app.toLogin()}></activity-recent>
    <section class="card"><h2>${texts.home.views}</h2><ul class="options">${views.BUILT_IN.map((view) => html`<li><a class="option" href=${`/audit?${view.query}`}>${icon(view.icon)}<span>${view.name}</span>${icon("chevron-right")}</a></li>`)}</ul></section></main>`;
}

/** The place of the lens until its modules are here. */
function lens(app) {
  if (app.lens?.arrived) return app.lens.view();
  const waiting = html`<div class="panel lens-bones" aria-hidden="true">${Array.from({ length: 5 }, () => html`<span class="bone"></span>`)}</div>`;
  return html`<main id="main" tabindex="-1"><h1 class="unseen">${texts.titles[app.place.view]}</h1>${app.problem ? failure(app) : waiting}</main>`;
}

function nowhere() {
  return html`<main id="main"><div class="panel"><div class="blank">${icon("circle-slash")}<h2>${texts.errors.notFound}</h2><p class="choices"><a class="button primary" href="/audit">${texts.errors.home}</a></p></div></div></main>`;
}

/** Whether the first answer of the view is still to come. */
function isWaiting(app) {
  const { view } = app.place;
  if (lensOf(view)) return !app.problem && (!app.lens?.arrived || app.lens.waiting);
  return view in DEFAULTS && !app.answer && !app.problem;
}

export function page(app) {
  const { view } = app.place;
  const body =
    view === "home" ? home(app) : lensOf(view) ? lens(app) : view in DEFAULTS ? trail(app) : nowhere();
  return html`<p class="unseen" id="loading" role="status">${isWaiting(app) ? texts.loading : nothing}</p>${header(app)}${body}${popover(app)}${help()}${exporting.progress(app)}`;
}
