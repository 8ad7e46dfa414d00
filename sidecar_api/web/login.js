// Signing in: the ways that the server offers (the 401's sign_in), nothing remembered here.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ask } from "./api.js";
import { texts } from "./texts.js";
import { icon } from "./icons.js";
import { safeNext } from "./place.js";
import { humanize } from "./reading.js";
import { remember } from "./store.js";
import { plain, sentences } from "./words.js";

const L = texts.login;
/** So many people are seen at a glance. */
const FEW = 8;

export async function load(app) {
  app.methods = undefined;
  app.loginProblem = null;
  try {
    await app.identify();
    app.methods = app.me.sign_in ?? [];
    if (app.methods.length) app.render(); // development: whoever is here may be somebody else
    else {
      remember("signedOut", false); // by another way than here
      window.location.replace(safeNext(app.place.next));
    }
  } catch (problem) {
    if (problem.status === 401) app.methods = problem.document.sign_in ?? [];
    else {
      app.methods = [];
      app.loginProblem = problem;
    }
    app.render();
  }
}

async function enter(app, body) {
  app.loginProblem = null;
  app.loginBy = Object.keys(body)[0];
  try {
    await ask("/api/v1/session", { method: "POST", body });
    remember("signedOut", false);
    window.location.assign(safeNext(app.place.next));
  } catch (problem) {
    app.loginProblem = problem;
    app.render();
    if (app.loginBy === "token") document.querySelector("#token").focus();
  }
}

/** What went wrong with a token stands at its field, which may be far below the heading. */
const isOfToken = (app) => Boolean(app.loginProblem) && app.loginBy === "token";
const saidOf = ({ message, document: said }) => sentences(message, said.hint);

const href = (method, next) => {
  const url = new URL(method.href, window.location.origin);
  if (url.origin !== window.location.origin) return "/login";
  url.searchParams.set("next", safeNext(next));
  return url.pathname + url.search;
};

/** "Billing owner", with the organization where the heading is another. */
const roleText = ({ role, organization }, heading) =>
  [humanize(role), organization === heading ? "" : organization].filter(Boolean).join(", ");

function people(app, method) {
  const all = method.people ?? [];
  const wanted = (app.wanted ?? "").toLowerCase();
  const groups = new Map();
  for (const person of all) {
    const name = person.full_name || person.name || person.id;
    const roles = person.roles ?? [];
    const heading = roles.length ? (roles[0].organization ?? texts.account.platform) : "";
    const about = roles.map((one) => roleText(one, heading)).join(", ") || person.id;
    if (![name, about, heading].join(" ").toLowerCase().includes(wanted)) continue;
    if (!groups.has(heading)) groups.set(heading, []);
    groups.get(heading).push({ id: person.id, name, about });
  }
  return html`<section><h2>${L.development}</h2>${
    all.length > FEW
      ? html`<input type="search" class="find" aria-label=${L.find} placeholder=${L.find} autocomplete="off"
        spellcheck="false" @input=${(event) => {
          app.wanted = event.target.value;
          app.render();
        }} />`
      : nothing
  }${[...groups].map(
    ([heading, found]) => html`${heading ? html`<h3>${plain(heading)}</h3>` : nothing}<ul class="people">${found.map(
      ({ id, name, about }) => html`<li><button type="button" class="button wide"
        @click=${() => enter(app, { development: id })}>${icon("circle-user")}<span>${plain(name)}</span>${
          name !== about ? html` <span class="kind">${plain(about)}</span>` : nothing
        }</button></li>`,
    )}</ul>`,
  )}${groups.size ? nothing : html`<p>${L.nobody}</p>`}<p class="quiet">${L.developmentHint}</p></section>`;
}

function way(app, method) {
  if (method.kind === "oidc")
    return html`<a class="button primary wide" href=${href(method, app.place.next)} data-leave>${method.label || L.oidc}</a>`;
  if (method.kind === "development") return people(app, method);
  if (method.kind === "token") {
    const wrong = isOfToken(app);
    return html`<form class="menu-form" @submit=${(event) => {
      event.preventDefault();
      enter(app, { token: event.target.token.value.trim() });
    }}>
      <label>${method.label || L.token}<input name="token" id="token" type="password" required
        autocomplete="off" spellcheck="false" aria-invalid=${wrong ? "true" : nothing} aria-describedby=${wrong ? "token-problem" : nothing} /></label>
      ${wrong ? html`<p class="problem bad" role="alert" id="token-problem">${icon("circle-x")}<span><strong>${L.failedToken}.</strong> ${saidOf(app.loginProblem)}</span></p>` : nothing}<p class="quiet">${L.tokenHint}</p>
      <button type="submit" class="button wide">${L.tokenButton}</button></form>`;
  }
  return method.label ? html`<p>${method.label}</p>` : nothing;
}

export function login(app) {
  const { methods, loginProblem } = app;
  return html`<main class="login" id="main"><div class="card">
    <img src="/static/favicon.svg" alt="" width="32" height="32" /><h1>${L.title}</h1><p class="quiet">${L.lead}</p>
    ${loginProblem && !isOfToken(app) ? html`<div class="banner" role="alert">${icon("triangle-alert")}<div><strong>${L.failed}.</strong> ${saidOf(loginProblem)}</div></div>` : nothing}
    ${methods === undefined ? html`<p role="status">${L.checking}…</p>` : methods.length ? methods.map((method) => way(app, method)) : loginProblem ? nothing : html`<p>${L.none}</p>`}
  </div></main>`;
}
