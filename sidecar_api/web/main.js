// The page: its state, what changes it, and one render for all of it.

import { render } from "./vendor/lit-html/lit-html.js";
import { Problem, ask, setCsrf } from "./api.js";
import { DEFAULTS, SETS } from "./columns.js";
import * as filters from "./filters.js";
import { page, placeMenu } from "./frame.js";
import { focusMenu, keepFocus, listen } from "./keyboard.js";
import { followLinks } from "./links.js";
import { Live } from "./live.js";
import * as reading from "./reading.js";
import { FIRST, SIZES, isAgents, isProcesses, lensOf, question, read, trailOf, write } from "./place.js";
import { weigh } from "./states.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";
import { listenTips } from "./tips.js";
import { sentences } from "./words.js";

const root = document.querySelector("#page");
const THEMES = ["system", "light", "dark"];

class App {
  place = read();
  answer = null; // of the list: activities, page, histogram
  problem = null;
  lost = ""; // why the row that the address opens is not there
  loading = false;
  menu = null; // {kind, name, anchor, find, values}
  me = null;
  ready = null; // settles when catalogue, filters and reader are known
  jobs = []; // exports that run, and how the last ones ended
  gap = null; // the gap between page numbers that is open
  weights = null;
  zone = recall("zone", "local") === "utc" ? "utc" : "local";
  theme = THEMES.includes(recall("theme", "system")) ? recall("theme", "system") : "system";
  following = recall("live", true) !== false;
  login = null; // the form to sign in, where that is shown
  lenses = {}; // name of the module -> what it shows, once it was opened
  live = new Live(() => this.render());

  /** The part of the page that shows the view, where that has a module of its own. */
  get lens() {
    return this.lenses[lensOf(this.place.view)] ?? null;
  }

  get set() {
    const { columns, view } = this.place;
    const kept = recall(`set.${view}`, "");
    return Object.hasOwn(SETS, columns ?? "")
      ? columns
      : Object.hasOwn(SETS, kept)
        ? kept
        : (DEFAULTS[view] ?? "center");
  }

  get size() {
    const kept = recall("size", 25);
    return this.place.size ?? (SIZES.includes(kept) ? kept : 25);
  }

  render() {
    document.title = `${texts.titles[this.place.view] ?? texts.errors.notFound} · ${texts.product}`;
    keepFocus(() => render(this.place.view === "login" ? this.login(this) : page(this), root));
  }

  announce(text) {
    const region = document.querySelector("#announcer");
    region.textContent = "";
    window.setTimeout(() => {
      region.textContent = text;
    }, 50);
  }

  /** Go to a place: what is not named stays. */
  go(change, { replace = false } = {}) {
    const before = this.place;
    this.place = { ...before, ...change };
    window.history[replace ? "replaceState" : "pushState"](null, "", write(this.place));
    this.arrived(before);
  }

  arrived(before) {
    // The point in time of the answer that is shown is no other question.
    const moment = (place) => (place.asOf === this.answer?.page.as_of ? "" : (place.asOf ?? ""));
    const asks = (place) =>
      [place.view, String(question(place)), place.page, place.size, place.cursor, moment(place)].join("\n");
    const moved = ["view", "organization", "subject", "tab"].some((key) => before[key] !== this.place[key]);
    if (moved) {
      this.answer = null;
      this.live.stop();
      window.scrollTo(0, 0);
    }
    if (lensOf(before.view) !== lensOf(this.place.view)) this.lenses[lensOf(before.view)]?.leave();
    if (moved || asks(before) !== asks(this.place)) this.load({ scroll: before.page !== this.place.page });
    this.render();
  }

  async identify() {
    this.me = await ask("/api/v1/me");
    for (const { id, name } of this.me.organizations ?? []) filters.note("organization", id, name);
    setCsrf(this.me.csrf);
    reading.meet(this.me);
  }

  toLogin() {
    window.location.replace(
      `/login?next=${encodeURIComponent(window.location.pathname + window.location.search)}`,
    );
  }

  async load({ scroll = false } = {}) {
    this.loading?.abort?.();
    this.loading = false;
    if (lensOf(this.place.view)) return void this.openLens(scroll);
    if (this.place.view === "home") import("./card.js");
    if (!(this.place.view in DEFAULTS)) return;
    const stop = new AbortController();
    this.loading = stop;
    this.weights = null;
    this.lost = "";
    const query = question(this.place);
    query.set("size", String(this.size));
    query.set("include", "histogram");
    if (this.place.cursor) query.set("cursor", this.place.cursor);
    else {
      if (this.place.page > 1) query.set("page", String(this.place.page));
      if (this.place.asOf) query.set("as_of", this.place.asOf);
    }
    let path = "/api/v1/activities";
    if (this.place.view === "organization") {
      path = `/api/v1${trailOf(this.place.organization)}`;
      query.delete("organization");
    }
    this.render();
    try {
      const answer = await ask(path, { query, signal: stop.signal });
      await this.ready; // labels of actions and values: rows are drawn once, not twice
      if (stop.signal.aborted) return;
      this.answer = answer;
      // A link to an entry may name it as its producer did.
      const named = answer.activities.find((one) => one.event?.id === this.place.open);
      if (named) this.place = { ...this.place, open: named.id };
      filters.noteNames(answer.activities);
      this.problem = null;
      this.loading = false;
      this.announce(texts.table.loaded(answer.page.total));
      if (!answer.activities.length && this.place.filters.length) weigh(this, stop.signal);
      this.follow();
      this.complete();
    } catch (error) {
      if (error.name === "AbortError" || stop.signal.aborted) return;
      if (error.status === 401) return void this.toLogin();
      this.loading = false;
      this.fail(error);
    }
    this.render();
    if (scroll) document.querySelector(".panel")?.scrollIntoView({ block: "start" });
  }

  fail(error) {
    this.problem = error instanceof Problem ? error : new Problem(0, { detail: String(error) });
    if (!(error instanceof Problem)) console.error(error);
  }

  /** A part with a module of its own is fetched when somebody looks at it. */
  async openLens(scroll) {
    const name = lensOf(this.place.view);
    try {
      const { Lens } = await import(`./${name}.js`);
      await this.ready;
      if (lensOf(this.place.view) !== name) return;
      this.lenses[name] ??= new Lens(this);
      await this.lens.arrive(scroll);
    } catch (error) {
      this.fail(error);
    }
    this.render();
  }

  /** Get the open entry: the list may have it in part alone, and that it was looked at is recorded. */
  async complete() {
    const { answer } = this;
    const { open } = this.place;
    if (!open) return;
    const at = answer.activities.findIndex((one) => one.id === open);
    try {
      const found = await ask(`/api/v1/activities/${encodeURIComponent(open)}`);
      if (at >= 0) answer.activities[at] = found;
      else if (this.answer === answer) this.lost = texts.errors.elsewhere;
    } catch (problem) {
      if (problem.status === 401) return void this.toLogin();
      if (at < 0 && this.place.open === open) {
        this.lost = sentences(problem.message, problem.document.hint);
        this.go({ open: null }, { replace: true });
      } else if (at >= 0 && answer.activities[at].partial) this.announce(problem.message);
    }
    this.render();
  }

  follow() {
    if (this.lens?.follower) this.lens.follow();
    else if (this.following && this.answer) this.live.follow(this.place, this.answer);
    else this.live.stop();
  }

  /** The first page as it is now; also shows what waited behind the pill. */
  refresh() {
    const before = this.place;
    if (before.page > 1 || before.cursor) return this.go(FIRST);
    this.place = { ...before, asOf: null };
    window.history.replaceState(null, "", write(this.place));
    return this.load();
  }

  setFilters(list, { typed = "", menu = false } = {}) {
    // One step back leads to before the search, or to before the menu, not through each letter or tick.
    const searched = this.place.filters.some(([name]) => name === typed);
    const replace = (typed && searched) || (menu && this.menu?.pushed);
    if (this.menu) this.menu.pushed = true;
    this.go({ filters: list, ...FIRST }, { replace });
  }

  addFilter(name, value) {
    this.setFilters(filters.added(this.place.filters, name, value));
    this.announce(`${filters.nameOf(name)}: ${value}`);
  }

  toggle(id) {
    // With an open row the address also says when, so that the link shows the row later too.
    const asOf = this.place.cursor ? null : (this.place.asOf ?? this.answer.page.as_of);
    this.go(this.place.open === id ? { open: null } : { open: id, asOf }, { replace: true });
    this.complete();
    document.querySelector(`tr[data-id="${CSS.escape(id)}"] .toggle`)?.focus({ preventScroll: true });
  }

  setSize(size) {
    remember("size", size);
    this.go({ size, ...FIRST });
  }

  chooseSet(set) {
    remember(`set.${this.place.view}`, set);
    this.go({ columns: set }, { replace: true });
  }

  chooseOrganization(id) {
    const kept = this.place.filters.filter(([name]) => name !== "organization");
    const { view } = this.place;
    if (isProcesses(view) || isAgents(view))
      return this.go({
        view: isProcesses(view) ? "processes" : ["entries", "agents", "oversight"].includes(view) ? view : "ai",
        filters: id ? [...kept, ["organization", id]] : kept,
        ...FIRST,
      });
    return this.go({
      view: id ? "organization" : "audit",
      organization: id,
      filters: kept,
      ...FIRST,
      columns: null,
    });
  }

  switchZone() {
    this.zone = this.zone === "utc" ? "local" : "utc";
    remember("zone", this.zone);
    for (const card of document.querySelectorAll("activity-recent")) card.draw?.();
    this.render();
  }

  switchTheme() {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
    remember("theme", this.theme);
    if (this.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
    this.render();
  }

  switchLive() {
    this.following = !this.following;
    remember("live", this.following);
    this.follow();
    this.render();
  }

  showHelp() {
    document.querySelector("#keys")?.showModal();
  }

  async signOut() {
    const answer = await ask("/api/v1/session", { method: "DELETE" }).catch(() => null);
    // Development needs no session: only this keeps one from being somebody again at once.
    remember("signedOut", this.me.reader.provider === "development");
    window.location.assign(answer?.next ?? "/login");
  }

  openMenu(kind, anchor, name = "") {
    if (this.menu?.anchor === anchor) return this.closeMenu();
    this.menu = { kind, name, anchor };
    this.render();
    const menu = document.querySelector("#menu");
    menu.showPopover();
    placeMenu(menu, anchor);
    this.findValues("");
    focusMenu();
  }

  /** Another part of the filter menu: the list ("") or the values of one filter. */
  switchMenu(name, rest = {}) {
    const changed = this.menu.name !== name;
    this.menu = { ...this.menu, name, values: undefined, failed: null, find: "", ...rest };
    this.render();
    if (changed) this.findValues("");
    if (changed) focusMenu();
  }

  async findValues(find) {
    const { menu } = this;
    if (menu.kind !== "filter" || !filters.isCounted(menu.name)) return;
    menu.find = find;
    this.render();
    const asked = (menu.asked = {});
    if (find)
      await new Promise((done) => {
        setTimeout(done, 150);
      });
    if (menu.asked !== asked) return;
    // Another list's filters are counted over the entries that it is made of.
    const name = filters.facetOf(menu.name);
    const query = this.lens?.facets?.() ?? question(this.place);
    query.set("name", name);
    if (find) query.set("contains", find);
    try {
      const answer = await ask("/api/v1/activities/facets", { query });
      if (menu.asked !== asked) return;
      menu.values = answer.facets[name] ?? [];
      menu.failed = null;
    } catch (problem) {
      menu.failed = problem;
    }
    this.render();
  }

  closeMenu() {
    document.querySelector("#menu:popover-open")?.hidePopover();
  }

  menuClosed() {
    const { menu } = this;
    this.menu = null;
    this.render();
    if (menu && (document.activeElement === document.body || document.activeElement?.closest("#menu"))) {
      (menu.anchor.isConnected ? menu.anchor : document.querySelector("#add-filter"))?.focus();
    }
  }
}

async function start() {
  const announcer = document.createElement("div");
  Object.assign(announcer, { id: "announcer", className: "unseen" });
  announcer.setAttribute("role", "status");
  document.body.append(announcer);
  const app = new App();
  followLinks(app);
  listen(app);
  listenTips();
  window.addEventListener("resize", () => app.render());
  window.addEventListener("popstate", () => {
    const before = app.place;
    app.place = read();
    app.closeMenu();
    app.arrived(before);
  });
  if (app.place.view === "login") {
    const { load, login } = await import("./login.js");
    app.login = login;
    app.render();
    return void load(app);
  }
  if (recall("signedOut", false) === true) return void app.toLogin();
  app.ready = Promise.allSettled([
    app.identify().catch((problem) => (problem.status === 401 ? app.toLogin() : undefined)),
    reading.learned(),
    ask("/api/v1/filters").then(filters.learn),
  ]);
  app.load();
  app.render();
  await app.ready;
  app.render();
  window.setInterval(() => {
    if (!document.hidden && !document.querySelector("#menu:popover-open")) app.render();
  }, 15000);
}

start();
