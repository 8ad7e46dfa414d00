// The columns, and the sets of them that the five products of the seeds show.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";
import { NONE, labelOf } from "./filters.js";
import { exact, relative } from "./time.js";
import { icon, outcomeLook, resourceIcon, sourceIcon, verbLook } from "./icons.js";
import * as reading from "./reading.js";
import { plain, safeUrl, word } from "./words.js";

const T = texts.table;
const none = html`<span class="none">${T.none}</span>`;
const orNone = (value) => (value === "" || value === null || value === undefined ? none : word(value));
/** Text that a cell may cut off: the tip has more of it. */
const long = (text, kind) =>
  text ? html`<span class=${kind} data-tip=${plain(text, 400)}>${word(text)}</span>` : none;

/** An organization by its name, with its id on hover where that is another. */
export const organization = (one) => {
  const name = reading.organizationName(one);
  return name ? html`<span data-tip=${one.id && one.id !== name ? plain(one.id, 200) : nothing}>${word(name)}</span>` : none;
};

export const time = (iso, zone, text) =>
  html`<time datetime=${iso} data-tip=${exact(iso, zone)}>${text ?? relative(iso)}</time>`;

export function badge(activity, { label } = {}) {
  const [name, tone] = verbLook(reading.verb(activity));
  const trouble = reading.trouble(activity);
  const text = label ?? reading.actionLabel(activity);
  const named = text.toLowerCase().includes(trouble);
  const [sign, shade] = !trouble ? [name, tone] : trouble === "denied" ? ["ban", "warn"] : ["circle-x", "bad"];
  const tip = [plain(text), plain(reading.actionName(activity)), trouble && !named ? T[trouble] : ""];
  return html`<span class=${`badge ${shade}`} data-tip=${tip.filter(Boolean).join(" · ")}
    >${icon(sign)}${word(text)}${trouble && !named ? html`<span class="unseen">, ${T[trouble]}</span>` : nothing}</span>`;
}

export function resource(activity, { type = true, account = false } = {}) {
  const found = reading.resource(activity);
  const label = reading.resourceLabel(activity) || reading.typeLabel(found.type);
  if (!label) return none;
  type = type && label !== reading.typeLabel(found.type);
  const url = found.url && !found.deleted ? safeUrl(found.url) : null;
  const picture = icon(resourceIcon(found.type), "resource-icon");
  const names = (reading.resourceLabel(activity) ? reading.target(activity) : [label]).map(
    (part, i) => html`${i ? html`<span class="slash"> / </span>` : nothing}${word(part)}`,
  );
  const kind =
    type && found.type ? html` <span class="kind">${word(reading.typeLabel(found.type))}</span>` : nothing;
  const holder =
    account && activity.organization
      ? html`<span class="kind"> · ${organization(activity.organization)}</span>`
      : nothing;
  if (url) {
    return html`<span class="thing"><a class="resource" href=${url} target="_blank" rel="noopener noreferrer"
      aria-label=${`${T.openResource(plain(label))}, ${T.newTab}`}
        data-tip=${plain(label)}>${picture}<span>${names}</span></a>${kind}${holder}</span>`;
  }
  const gone = found.deleted ? html` <span class="gone">${T.deleted}</span>` : nothing;
  return html`<span class="thing"><span class=${found.deleted ? "resource deleted" : "resource"} role=${found.deleted ? "link" : nothing}
    aria-disabled=${found.deleted ? "true" : nothing}

        data-tip=${found.deleted ? `${plain(label)} · ${T.deletedTip}` : plain(label)}>${picture}<span>${names}</span></span>${gone}${kind}${holder}</span>`;
}

export function avatar(actor) {
  if (actor.kind === "agent")
    return html`<span class="avatar agent" aria-hidden="true">${icon("bot")}</span>`;
  if (actor.kind === "system") return html`<span class="avatar" aria-hidden="true">${icon("cog")}</span>`;
  return html`<span class="avatar" aria-hidden="true">${reading.initials(actor.name)}</span>`;
}

export function who(activity) {
  const actor = reading.actor(activity);
  const tip = plain([actor.name, actor.person.email].filter(Boolean).join(" · "));
  if (actor.kind === "agent") {
    const behind = actor.name
      ? html` <span class="kind">${T.forUser} ${word(reading.shortName(actor.name))}</span>`
      : nothing;
    const agent = activity.gen_ai?.agent?.name;
    return html`<span class="who"

        data-tip=${plain([agent, tip].filter(Boolean).join(" · "))}>${avatar(actor)}<span>${T.agent}${behind}</span></span>`;
  }
  if (actor.kind === "system")
    return html`<span class="who"
    data-tip=${plain(actor.name)}>${avatar(actor)}<span>${T.system}</span></span>`;
  if (actor.kind === "nobody")
    return html`<span class="who">${avatar(actor)}<span class="none">${T.unknown}</span></span>`;
  const account = /^system:serviceaccount:[^:]+:(.+)$/.exec(actor.name);
  return html`<span class="who" data-tip=${tip}>${avatar(actor)}<span>${word(account ? account[1] : actor.name)}${
    account ? html` <span class="kind">${T.serviceAccount}</span>` : nothing
  }</span></span>`;
}

const person = (found) =>
  reading.personName(found)
    ? html`<span class="who"

      data-tip=${plain([found.full_name, found.email].filter(Boolean).join(" · "))}><span>${word(found.email || reading.personName(found))}</span></span>`
    : none;

export const unproven = html`<span class="unproven warn" data-tip=${T.unprovenTip}>${icon("triangle-alert")}${T.unproven}<span class="unseen">: ${T.unprovenTip}</span></span>`;

function decidedBy(activity) {
  const { approver, proven } = reading.decision(activity);
  const name = person(approver ?? {});
  return reading.personName(approver) && !proven ? html`<span class="marked">${name} ${unproven}</span>` : name;
}

export function source(activity) {
  const origin = activity.activity?.origin;
  if (!origin) return none;
  return html`<span class=${origin === "agent" ? "badge agent" : "source"}>${icon(sourceIcon(origin))}${word(labelOf("source", origin) ?? origin)}</span>`;
}

function state(value) {
  if (!value) return none;
  const [name, tone] = outcomeLook(value);
  const label = labelOf("outcome", value) ?? labelOf("result", value);
  return html`<span class=${`state ${tone}`}>${icon(name)}${label ?? word(reading.humanize(value))}</span>`;
}

/** key -> {width, cell(activity, zone), filter(activity) -> [name, value] | null} */
export const COLUMNS = {
  when: { width: 100, cell: (a, zone) => time(a["@timestamp"], zone) },
  time: {
    width: 236,
    cell: (a, zone) =>
      time(
        a["@timestamp"],
        zone,
        html`<span class="rest-text">${exact(a["@timestamp"], zone).replace(/\.\d{3}/, "")}</span><span class="phone-text">${relative(a["@timestamp"])}</span>`,
      ),
  },
  action: {
    width: 216,
    cell: (a) => badge(a),
    filter: (a) => ["action", reading.actionName(a)],
  },
  verb: {
    width: 190,
    cell: (a) => badge(a, { label: reading.verbLabel(reading.verb(a)) || reading.actionLabel(a) }),
    filter: (a) => ["verb", reading.verb(a)],
  },
  resource: { width: 236, cell: (a) => resource(a), filter: (a) => resourceFilter(a) },
  name: { width: 420, cell: (a) => resource(a, { account: true }), filter: (a) => resourceFilter(a) },
  target: {
    width: 260,
    cell: (a) => resource(a, { type: false }),
    filter: (a) => ["target", reading.target(a)[0]],
  },
  identifier: { width: 180, cell: (a) => resource(a, { type: false }), filter: (a) => resourceFilter(a) },
  project: {
    width: 120,
    cell: (a) => orNone(a.activity?.project),
    filter: (a) => ["project", a.activity?.project],
  },
  who: { width: 220, cell: who, filter: (a) => actorFilter(a) },
  user: { width: 176, cell: who, filter: (a) => actorFilter(a) },
  actor: {
    width: 230,
    cell: (a) => person(reading.asked(a)),
    filter: (a) => personFilter(a, reading.asked(a)),
  },
  approver: {
    width: 230,
    cell: decidedBy,
    // As the API finds it: by what the entry itself says.
    filter: (a) => ["approver", reading.personKey(reading.approver(a))],
  },
  source: { width: 110, cell: source, filter: (a) => ["source", a.activity?.origin] },
  outcome: {
    width: 110,
    cell: (a) => state(reading.outcome(a)),
    filter: (a) => ["outcome", a.event?.outcome],
  },
  result: {
    width: 120,
    cell: (a) => state(reading.result(a)),
    filter: (a) => ["result", reading.result(a) === "unknown" ? NONE : reading.result(a)],
  },
  ip: {
    width: 284,
    cell: (a) => (reading.address(a) ? html`<span class="mono small">${word(reading.address(a))}</span>` : none),
    filter: (a) => ["ip", reading.ip(a)],
  },
  type: { width: 120, cell: (a) => orNone(a.activity?.type), filter: (a) => ["type", a.activity?.type] },
  organization: {
    width: 130,
    cell: (a) => organization(a.organization),
    filter: (a) => ["organization", a.organization?.id],
  },
  workspace: {
    width: 110,
    cell: (a) => orNone(a.activity?.workspace),
    filter: (a) => ["workspace", a.activity?.workspace],
  },
  old: {
    width: 150,
    cell: (a) => long(reading.side(a, "old"), "mono"),
  },
  new: {
    width: 150,
    cell: (a) => long(reading.side(a, "new"), "mono"),
  },
  details: {
    width: 320,
    cell: (a) => long(reading.gist(a), "gist"),
  },
};
COLUMNS.created = { ...COLUMNS.when, head: "created" };
COLUMNS.timestamp = { ...COLUMNS.time, head: "timestamp" };

function resourceFilter(activity) {
  const { id, name } = reading.resource(activity);
  return id ? ["resource_id", id] : ["resource_name", name];
}

function actorFilter(activity) {
  return personFilter(activity, reading.actor(activity).person);
}

/** The filter for a person of an entry: who prompted the agent is no actor of it. */
export function personFilter(activity, person) {
  return [person === reading.initiator(activity) ? "initiator" : "actor", reading.personKey(person)];
}

/** name -> columns in order; the names of the sets are those of the seeds' pages. */
export const SETS = {
  center: ["when", "action", "resource", "project", "who", "source", "outcome"],
  trail: ["time", "source", "actor", "approver", "action", "target", "result"],
  logs: ["when", "type", "action", "user", "organization", "workspace", "identifier", "old", "new"],
  log: ["name", "verb", "created", "user"],
  audit: ["timestamp", "user", "action", "resource", "ip", "details"],
};
export const DEFAULTS = { audit: "center", organization: "logs", entries: "trail" };
export const headOf = (key) => texts.heads[COLUMNS[key].head ?? key];
