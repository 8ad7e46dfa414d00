// Views under a name: those built in, and one's own kept in this browser.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { icon } from "./icons.js";
import { copy } from "./details.js";
import { FIRST, write } from "./place.js";
import { recall, remember } from "./store.js";
import { plain } from "./words.js";

const V = texts.views;

export const BUILT_IN = [
  { name: V.security, icon: "shield", query: "verb=authenticate&verb=permit" },
  { name: V.critical, icon: "triangle-alert", query: "critical=true" },
  { name: V.failed, icon: "circle-x", query: "outcome=failure" },
  { name: V.agent, icon: "bot", query: "source=agent" },
  { name: V.reads, icon: "eye", query: "action_contains=activity_log." },
];

const sorted = (query) => [...new URLSearchParams(query)].map(String).sort().join("\n");
const same = (a, b) => sorted(a) === sorted(b);
const own = () =>
  recall("views", []).filter((view) => typeof view?.name === "string" && typeof view?.query === "string");

/** Name of the view that the filters are, if they are one. */
export function current(app) {
  const query = new URLSearchParams(app.place.filters).toString();
  return query ? ([...own(), ...BUILT_IN].find((view) => same(view.query, query))?.name ?? "") : "";
}

function save(app, event) {
  event.preventDefault();
  const name = event.target.name.value.trim().slice(0, 80);
  if (!name) return;
  const query = new URLSearchParams(app.place.filters).toString();
  remember(
    "views",
    [...own().filter((view) => view.name !== name), { name, query, columns: app.set }].slice(-50),
  );
  app.closeMenu();
  app.announce(V.saved(plain(name)));
}

/** The address of what is shown, from its first page on, with its columns. */
const link = (app) => new URL(write({ ...app.place, ...FIRST, columns: app.set }), window.location.origin).href;

/** Whether a view of one's own has the name that stands in the form. */
const isTaken = (app) => own().some((view) => view.name === (app.menu.typed ?? "").trim());

/** Forget a view; what all of them were is kept until the menu closes. */
function forget(app, view) {
  app.menu.forgotten = { name: view.name, views: own() };
  remember(
    "views",
    own().filter((other) => other.name !== view.name),
  );
  app.render();
  document.querySelector("#undo")?.focus();
}

function bringBack(app) {
  remember("views", app.menu.forgotten.views);
  app.menu.forgotten = null;
  app.render();
}

export function menu(app) {
  const use = (view) => {
    app.go({
      filters: [...new URLSearchParams(view.query)],
      ...FIRST,
      ...(view.columns ? { columns: view.columns } : {}),
    });
    app.closeMenu();
  };
  const now = current(app);
  const option = (view, sign) =>
    html`<button type="button" class="option" aria-pressed=${view.name === now ? "true" : "false"}
      @click=${() => use(view)}>${icon(sign)}<span>${plain(view.name)}</span>${icon("check")}</button>`;
  return html`<h3>${V.builtin}</h3><ul class="options">${BUILT_IN.map((view) => html`<li>${option(view, view.icon)}</li>`)}</ul>
    <h3>${V.own}</h3>${
      own().length
        ? html`<ul class="options">${own().map(
            (
              view,
            ) => html`<li class="with-drop">${option(view, "star")}<button type="button" class="chip-drop"
              aria-label=${V.remove(plain(view.name))}
      @click=${() => forget(app, view)}>${icon("x")}</button></li>`,
          )}</ul>`
        : html`<p class="quiet">${V.none}</p>`
    }<p class="quiet">${V.what}</p>
    ${
      app.menu.forgotten
        ? html`<p class="quiet" role="status">${V.forgotten(plain(app.menu.forgotten.name))}
      <button type="button" class="link" id="undo" @click=${() => bringBack(app)}>${V.undo}</button></p>`
        : nothing
    }
    ${
      app.place.filters.length
        ? html`<form class="menu-form"
          @submit=${(event) => save(app, event)}><label>${V.name}<input name="name" maxlength="80" required
          autocomplete="off" @input=${(event) => {
            app.menu.typed = event.target.value;
            app.render();
          }} /></label><p class="quiet" role="status">${isTaken(app) ? V.taken : nothing}</p>
      <button type="submit" class="button">${isTaken(app) ? V.replace : V.save}</button></form>
      <p><button type="button" class="link copy" id="copy-view" @click=${(event) => copy(app, link(app), event.currentTarget, V.copied)}>
      ${icon("copy", "before")}${icon("check", "after")}${V.copy}</button></p>`
        : nothing
    }`;
}
