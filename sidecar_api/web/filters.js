// Filters: chips for those that hold, a popover whose values come from the log itself.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { texts } from "./texts.js";
import { icon } from "./icons.js";
import * as reading from "./reading.js";
import { ends, fromInput, short, toInput } from "./time.js";
import { plain, sentences, word } from "./words.js";

const F = texts.filters;
const TIME = new Set(["from", "to", "range"]);
/** The value of a filter for what has none. */
export const NONE = "-";

/** Takes the answer of GET /api/v1/filters. */
let declared = [];
export function learn(answer) {
  declared = answer?.filters ?? [];
}
/** The values that a filter of the API can have, each with its label; of others there is no list. */
export const valuesOf = (name) => declared.find((filter) => filter.name === name)?.values ?? [];
export const labelOf = (name, value) => valuesOf(name).find((choice) => choice.value === value)?.label;
/** The filters of another list of the page, while that is shown; null: those of the API. */
let borrowed = null;
export function borrow(list) {
  borrowed = list;
}
/** The filter of the entries whose values are those of this one. */
export const facetOf = (name) => declaration(name)?.facetOf ?? name;
const known = () => borrowed ?? declared;
const declaration = (name) => known().find((filter) => filter.name === name);
const OTHERS = { when: F.when, q: F.q, organization: texts.organization.label };
/** What a filter is called; "when": all of time. */
export const nameOf = (name) => declaration(name)?.label ?? OTHERS[name] ?? name;
const choices = (name) => declaration(name)?.values ?? [];
const repeats = (name) => declaration(name)?.repeats ?? true;
/** Whether the values of a filter can be listed with counts. */
export const isCounted = (name) => declaration(name)?.facet ?? false;

function valueLabel(name, value, given) {
  if (value === NONE) return F.has;
  const chosen = choices(name).find((choice) => choice.value === value);
  if (chosen) return chosen.label;
  if (given) return given;
  return labels.get(`${name} ${value}`) ?? value;
}
const labels = new Map();

/** Remembers the name behind an id. */
export const note = (name, id, label) => id && label && labels.set(`${name} ${id}`, label);

/** Remembers the names behind ids, so that a chip says who is meant also after a reload. */
export function noteNames(activities) {
  for (const activity of activities) {
    note("actor", activity.user?.id, reading.personName(activity.user));
    note("initiator", reading.initiator(activity)?.id, reading.personName(reading.initiator(activity)));
    note("approver", reading.approver(activity)?.id, reading.personName(reading.approver(activity)));
    note("organization", activity.organization?.id, activity.organization?.name);
    // Two resources may have one name: here the id tells which is meant.
    const { id, name } = reading.resource(activity);
    note("resource_id", id, name && `${name} (${id})`);
  }
}

/** The chip that shows a filter. */
export const chipOf = (name) => (TIME.has(name) ? "when" : name);

/** Filters as the chips show them: one a name, time as one. */
export function grouped(filters) {
  const found = new Map();
  for (const [name, value] of filters) {
    const key = chipOf(name);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push([name, value]);
  }
  return found;
}

export const without = (filters, name) =>
  filters.filter(([other]) => (name === "when" ? !TIME.has(other) : other !== name));

/** Filters with one value added; a filter that holds one value gets the new one instead. */
export function added(filters, name, value) {
  if (filters.some(([n, v]) => n === name && v === value)) return filters;
  return [...(repeats(name) ? filters : without(filters, name)), [name, value]];
}

/** The filters that say when and of which organization: those that all parts of a lens know. Of several
    organizations none: entries alone can be of any of them. */
export function whenAndWhose(filters) {
  const several = filters.filter(([name]) => name === "organization").length > 1;
  return filters.filter(([name]) => TIME.has(name) || (name === "organization" && !several));
}

/** Buttons that each drop a filter, and with several of them one for all; `said` names one by its key. */
export function drops(app, said = (name) => F.drop(nameOf(name)), names = [...grouped(app.place.filters).keys()]) {
  return html`<p class="choices">${names.map(
    (name) => html`<button type="button" class="button" @click=${() => app.setFilters(without(app.place.filters, name))}>${said(name)}</button>`,
  )}${names.length > 1 ? html`<button type="button" class="link" @click=${() => app.setFilters([])}>${F.dropAll}</button>` : nothing}</p>`;
}

function whenText(filters, zone) {
  const values = Object.fromEntries(filters.filter(([name]) => TIME.has(name)));
  if (values.range) return valueLabel("range", values.range);
  if (values.from && values.to) return F.span(...ends(values.from, values.to, zone));
  if (values.from) return F.since(short(values.from, zone));
  return values.to ? F.until(short(values.to, zone)) : F.any;
}

function chip(app, name, pairs) {
  const label = nameOf(name);
  const shown =
    name === "when"
      ? whenText(app.place.filters, app.zone)
      : pairs.map(([n, value], i) => html`${i ? ", " : ""}${word(valueLabel(n, value), { limit: 60 })}`);
  return html`<span class="chip set">
    <button type="button" class="chip-name" data-menu=${`filter-${name}`} aria-haspopup="dialog"
      @click=${(event) => app.openMenu("filter", event.currentTarget, name)}>${label} <b>${shown}</b></button>
    <button type="button" class="chip-drop" aria-label=${F.remove(label)}
      @click=${() => app.setFilters(without(app.place.filters, name))}>${icon("x")}</button></span>`;
}

export function chips(app) {
  const groups = grouped(app.place.filters.filter(([name]) => name !== "q"));
  const when = groups.has("when");
  return html`<div class="chips" role="group" aria-label=${F.title}>
    <button type="button" class="chip dashed sheet-opener" aria-haspopup="dialog"
      @click=${(event) => app.openMenu("filter", event.currentTarget, "")}>${icon("list-filter")}${F.sheet(groups.size)}</button>
    ${
      when
        ? nothing
        : html`<button type="button" class="chip dashed wide-only" aria-haspopup="dialog" data-menu="filter-when"

        @click=${(event) => app.openMenu("filter", event.currentTarget, "when")}>${icon("clock")}${F.when} <b>${F.any}</b></button>`
    }
    ${[...groups].map(([name, pairs]) => chip(app, name, pairs))}
    <button type="button" id="add-filter" class="chip dashed wide-only" aria-haspopup="dialog"
      @click=${(event) => app.openMenu("filter", event.currentTarget, "")}>${icon("plus")}${F.add}</button>
    ${groups.size ? html`<button type="button" class="link"
      @click=${() => app.setFilters([])}>${F.clear}</button>` : nothing}
  </div>`;
}

export function searchField(app, label = texts.search.label, filter = "q") {
  const now = app.place.filters.find(([name]) => name === filter)?.[1] ?? "";
  const set = (value) =>
    app.setFilters(
      value.trim() ? added(without(app.place.filters, filter), filter, value.trim()) : without(app.place.filters, filter),
      { typed: filter },
    );
  return html`<form class="search" role="search" @submit=${(event) => {
    event.preventDefault();
    clearTimeout(app.typing);
    set(event.target.q.value);
  }}>
    ${icon("search")}<input id="search" name="q" type="search" maxlength="200" autocomplete="off" spellcheck="false"
      .value=${live(document.activeElement?.id === "search" ? document.activeElement.value : now)}
      placeholder=${label} aria-label=${label} aria-keyshortcuts="/"
      @input=${(event) => {
        clearTimeout(app.typing);
        const { value } = event.target;
        app.typing = setTimeout(() => set(value), 300);
      }} />
    <kbd aria-hidden="true">/</kbd></form>`;
}

/** The popover: a list of filters, or the values of one. */
export function menu(app) {
  const { name } = app.menu;
  if (!name) return listOfFilters(app);
  const back = html`<button type="button" class="link back"
    @click=${() => app.switchMenu("")}>${icon("chevron-left")}${F.back}</button>`;
  return html`<div class="menu-head">${back}<strong>${nameOf(name)}</strong></div>
    ${name === "when" ? whenForm(app) : isCounted(name) ? valueList(app, name) : textForm(app, name)}`;
}

function listOfFilters(app) {
  const wanted = (app.menu.find ?? "").toLowerCase();
  const fits = (label) => label.toLowerCase().includes(wanted);
  const names = [
    "when",
    ...known()
      .map((filter) => filter.name)
      .filter(
        (name) =>
          name !== "q" && !TIME.has(name) && !(app.place.view === "organization" && name === "organization"),
      ),
  ];
  const set = grouped(app.place.filters);
  return html`<input class="find" type="search" placeholder=${F.find} aria-label=${F.find}
    .value=${live(app.menu.find ?? "")} @input=${(event) => app.switchMenu("", { find: event.target.value })}
    @keydown=${(event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.target.closest("#menu").querySelector(".option")?.click();
    }} />
    <ul class="options">${names
      .filter((name) => fits(nameOf(name)))
      .map(
        (name) => html`<li><button type="button" class="option" @click=${() => app.switchMenu(name)}>
      <span>${nameOf(name)}</span>${
        set.has(name)
          ? html`<span class="kind">${
              name === "when"
                ? whenText(app.place.filters, app.zone)
                : plain(
                    set
                      .get(name)
                      .map(([n, v]) => valueLabel(n, v))
                      .join(", "),
                    40,
                  )
            }</span>`
          : nothing
      }${icon("chevron-right")}</button></li>`,
      )}</ul>`;
}

function valueList(app, name) {
  const { values, failed, find = "" } = app.menu;
  const chosen = app.place.filters.filter(([n]) => n === name).map(([, value]) => value);
  const many = repeats(name);
  for (const value of values ?? [])
    if (value.label && name !== "action") labels.set(`${name} ${value.value}`, value.label);
  const rest = (values ?? []).find((value) => value.value === null);
  const listed = (values ?? []).filter((value) => value.value !== null);
  for (const value of chosen)
    if (!listed.some((other) => String(other.value) === value)) listed.unshift({ value, count: 0 });
  const toggle = (value, on) =>
    app.setFilters(
      on
        ? added(app.place.filters, name, value)
        : app.place.filters.filter(([n, v]) => !(n === name && v === value)),
      { menu: true },
    );
  return html`<input class="find" type="search" placeholder=${F.findValue} aria-label=${F.findValue} maxlength="100"
    .value=${live(find)} @input=${(event) => app.findValues(event.target.value)} />
    ${
      failed
        ? html`<p class="quiet" role="alert">${sentences(F.failed, failed.message)}</p>`
        : values === undefined
          ? html`<p class="quiet" role="status">${F.loading}…</p>`
          : listed.length
            ? html`<ul class="options">${listed.map(
                ({ value, count, label }) => html`<li><label class="option">
        <input type=${many ? "checkbox" : "radio"} name="value" .checked=${live(chosen.includes(String(value)))}
          @change=${(event) => toggle(String(value), event.target.checked)} />
        <span class="option-text">${name === "action" && value !== NONE ? html`${word(value, { limit: 80 })} <span class="kind">${reading.actionLabelOf(value)}</span>` : word(valueLabel(name, String(value), label), { limit: 80 })}</span><span class="count">${count.toLocaleString("en")}</span></label></li>`,
              )}
        ${rest ? html`<li class="quiet rest">${F.more(rest.count)}</li>` : nothing}</ul>`
            : html`<p class="quiet">${F.none}</p>`
    }`;
}

/** The values that a filter declares, where nobody counts them. */
function choiceList(app, name) {
  const chosen = app.place.filters.filter(([n]) => n === name).map(([, value]) => value);
  return html`<ul class="options">${choices(name).map(
    ({ value, label }) => html`<li><button type="button" class="option" aria-pressed=${chosen.includes(value) ? "true" : "false"}
      @click=${() => {
        app.setFilters(added(without(app.place.filters, name), name, value));
        app.closeMenu();
      }}><span>${label}</span>${icon("check")}</button></li>`,
  )}</ul>`;
}

function textForm(app, name) {
  const one = declaration(name);
  if (one?.values?.length) return choiceList(app, name);
  const now = app.place.filters
    .filter(([n]) => n === name)
    .map(([, v]) => v)
    .join(" ");
  return html`<form class="menu-form" @submit=${(event) => {
    event.preventDefault();
    const value = event.target.value.value.trim();
    app.setFilters(
      value ? added(without(app.place.filters, name), name, value) : without(app.place.filters, name),
    );
    app.closeMenu();
  }}><label>${nameOf(name)}<input name="value" maxlength="256" autocomplete="off" spellcheck="false"
    .value=${now} /></label>
    ${one?.description ? html`<p class="quiet">${one.description}</p>` : nothing}<button type="submit" class="button primary">${F.apply}</button></form>`;
}

function whenForm(app) {
  const values = Object.fromEntries(app.place.filters);
  const rest = without(app.place.filters, "when");
  const choose = (pairs) => {
    app.setFilters([...rest, ...pairs]);
    app.closeMenu();
  };
  return html`<ul class="options">${[{ value: "", label: F.any }, ...choices("range")].map(
    ({ value, label }) => html`<li><button type="button" class="option"
      aria-pressed=${(values.range ?? "") === value && !(value === "" && (values.from || values.to)) ? "true" : "false"}
        @click=${() => choose(value ? [["range", value]] : [])}><span>${label}</span>${icon("check")}</button></li>`,
  )}</ul>
    <form class="menu-form" @submit=${(event) => {
      event.preventDefault();
      const { from, to } = event.target;
      choose(
        [
          ["from", fromInput(from.value, app.zone)],
          ["to", fromInput(to.value, app.zone)],
        ].filter(([, value]) => value),
      );
    }}><strong>${F.custom}, ${texts.zone[app.zone]}</strong>
      ${["from", "to"].map((end) => {
        const value = toInput(values[end], app.zone);
        return html`<label>${F[end]}<input type="datetime-local" name=${end} step=${value.length > 16 ? 1 : 60} .value=${value} /></label>`;
      })}
      <button type="submit" class="button primary" @click=${({ target }) => {
        const { from, to } = target.form;
        to.setCustomValidity(from.value && to.value && to.value <= from.value ? F.backwards : "");
      }}>${F.apply}</button></form>`;
}
