// When there is no table to show: nothing found, an error, no permission.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { texts } from "./texts.js";
import { chipOf, drops, grouped, nameOf, without } from "./filters.js";
import { icon } from "./icons.js";
import { FIRST, question } from "./place.js";
import { organizationName, ownOnly } from "./reading.js";
import { plain, sentences } from "./words.js";

const E = texts.errors,
  N = texts.empty;
const MOST_TRIES = 6;

/** How much there is without each of the first filters: the answer to "which one do I drop?". */
export async function weigh(app, signal) {
  const names = [...grouped(app.place.filters).keys()].slice(0, MOST_TRIES);
  if (!names.length) return;
  const found = await Promise.all(
    names.map(async (name) => {
      try {
        const answer = await ask("/api/v1/activities/histogram", {
          query: question(app.place, without(app.place.filters, name)),
          signal,
        });
        return [name, answer.buckets.reduce((sum, bucket) => sum + bucket.count, 0)];
      } catch {
        return [name, null];
      }
    }),
  );
  if (signal.aborted) return;
  app.weights = found.sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0));
  app.render();
}

export function empty(app) {
  const page = app.answer?.page;
  if (page?.total) {
    const last = Math.ceil(page.total / page.size);
    return html`<div class="blank" id="empty">${icon("inbox")}<h2>${N.beyond(page.number)}</h2>
    <button type="button" class="button primary" @click=${() => app.go({ ...FIRST, page: last })}>${N.last(last)}</button></div>`;
  }
  const names = [...grouped(app.place.filters).keys()];
  const own = plain(ownOnly(app.me, app.place), 400);
  const weights = new Map(app.weights ?? []);
  const ordered = [...names].sort((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0));
  return html`<div class="blank" id="empty">${icon(names.length ? "list-filter" : "inbox")}
    <h2>${names.length ? N.title : own ? N.own : N.all}</h2>${own ? html`<p id="own-only">${own}</p>` : nothing}
    ${
      names.length
        ? html`<p>${ordered.some((name) => weights.get(name) !== 0) ? N.hint : N.noneHelps(names.length)}</p>${drops(
            app,
            (name) => (weights.get(name) ? N.without(nameOf(name), weights.get(name)) : texts.filters.drop(nameOf(name))),
            ordered,
          )}`
        : own
          ? nothing
          : html`<p>${N.allHint}</p>`
    }</div>`;
}

/** What was asked for, as the subject of a sentence. */
const asked = (view) => (Object.hasOwn(E.what, view) ? E.what[view] : E.page);

/** What a refusal says is missing. */
export function lacking({ permission, organization, detail }) {
  if (!permission) return detail;
  return organization ? E.permissionIn(permission, plain(organizationName({ id: organization }), 80)) : E.permission(permission);
}

export function failure(app) {
  const { problem } = app;
  const { document: said, status } = problem;
  const kept = Boolean(app.answer);
  const retry = html`<button type="button" class="button primary" @click=${() => app.refresh()}>${E.retry}</button>`;
  const title = E.title(asked(app.place.view));
  let heading = title,
    lines = [said.detail ?? problem.message, said.hint],
    actions = [retry],
    sign = "circle-x";
  if (status === 403) {
    heading = E.forbidden;
    sign = "lock";
    lines = [lacking(said), said.hint ?? E.forbiddenHint];
    actions =
      app.place.view === "organization"
        ? [html`<a class="button primary" href="/audit">${E.own}</a>`]
        : [retry];
  } else if (status === 404) {
    heading = E.notFound;
    sign = "circle-slash";
    lines = [said.detail, app.place.view === "organization" ? E.chooseOrganization : said.hint];
    actions = [html`<a class="button primary" href="/audit">${E.home}</a>`];
  } else if (status === 400) {
    const name = said.parameter ?? "";
    const chip = chipOf(name);
    heading = name ? E.badFilter(nameOf(chip)) : title;
    // What the API says of a time is for those who write the address: the form knows it better.
    if (chip === "when") lines = [`${texts.filters[name] ?? nameOf(chip)}: ${said.detail}`];
    if (name === "page") [heading, lines] = [N.beyond(app.place.page), [E.farHint]];
    if (app.place.filters.some(([other]) => other === name))
      actions = [
        html`<button type="button" class="button primary"
      @click=${() => app.setFilters(without(app.place.filters, chip))}>${E.dropFilter(nameOf(chip))}</button>`,
        html`<button type="button" class="button"
      @click=${(event) => app.openMenu("filter", event.currentTarget, chip)}>${E.changeFilter(nameOf(chip))}</button>`,
      ];
    else
      actions = [
        html`<button type="button" class="button primary"
      @click=${() => app.go(FIRST)}>${name === "page" ? E.first : E.retry}</button>`,
      ];
  } else if (status === 429) {
    heading = E.slow;
    lines = [said.detail, problem.retryAfter ? E.slowHint(problem.retryAfter) : said.hint];
  } else if (status === 503) {
    if (said.type === "/problems/incomplete") heading = E.incomplete;
    lines = [said.detail, said.hint ?? E.incompleteHint];
  } else if (status === 0) {
    heading = E.offline;
    lines = [E.offlineHint];
  }
  const id = said.instance ? html`<p class="quiet mono">${E.id(said.instance)}</p>` : nothing;
  const body = html`${lines.filter(Boolean).map((line) => html`<p>${line}</p>`)}`;
  return kept && status !== 403 && status !== 404
    ? html`<div class="banner" role="alert">${icon("triangle-alert")}<div><strong>${heading}.</strong> ${sentences(...lines, E.kept)}</div>${actions}</div>`
    : html`<div class="blank" role="alert" id="failure">${icon(sign)}<h2>${heading}</h2>${body}<p class="choices">${actions}</p>${id}</div>`;
}
