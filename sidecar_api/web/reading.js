// What an activity says, and what a reader sees: what more than one part of the page asks.

import { ask } from "./api.js";
import { isAgents } from "./place.js";
import { texts } from "./texts.js";

const catalogue = { actions: new Map(), verbs: new Map() };

function learn(answer) {
  for (const verb of answer?.verbs ?? []) catalogue.verbs.set(verb.name, verb);
  for (const action of answer?.actions ?? []) catalogue.actions.set(action.name, action);
}

let asking = null;
/** Settles when the catalogue is known; it is asked for once, by whoever needs it first. */
export const learned = () =>
  (asking ??= ask("/api/v1/catalogue").then(learn, (problem) => {
    asking = null;
    throw problem;
  }));

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
/** "restartService", "cost_recommendation" -> words */
export const humanize = (name) =>
  sentence(
    String(name ?? "")
      .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
      .replace(/[._-]+/g, " ")
      .trim()
      .toLowerCase(),
  );

export const actionName = (activity) => activity.event?.action ?? "";

export function verb(activity) {
  const known = catalogue.actions.get(actionName(activity))?.verb;
  if (known) return known;
  const types = activity.event?.type ?? [];
  if (types.includes("creation")) return "create";
  if (types.includes("deletion")) return "delete";
  if (types.includes("change")) return "update";
  return types.includes("access") ? "access" : "";
}

export const verbLabel = (name) => catalogue.verbs.get(name)?.label ?? humanize(name);

export function actionLabel(activity) {
  const name = actionName(activity);
  return (
    catalogue.actions.get(name)?.label ??
    (humanize(name.split(".").slice(1).join(" ") || name) || texts.table.unknown)
  );
}

export const actionLabelOf = (name) => catalogue.actions.get(name)?.label ?? "";

/** "denied", "failed" or "". */
export function trouble(activity) {
  if (activity.activity?.result === "denied" || (activity.event?.type ?? []).includes("denied"))
    return "denied";
  return activity.event?.outcome === "failure" || activity.activity?.result === "failed" ? "failed" : "";
}

/** How it ended: completed, failed, denied, expired; "" while a proposal is under way. */
export function result(activity) {
  const { result: said, proposal } = activity.activity ?? {};
  if (said) return said;
  if (proposal?.stage)
    return ["completed", "failed", "denied", "expired"].includes(proposal.stage) ? proposal.stage : "";
  if (trouble(activity) === "denied") return "denied";
  return activity.event?.outcome === "success"
    ? "completed"
    : activity.event?.outcome === "failure"
      ? "failed"
      : "unknown";
}

export const outcome = (activity) =>
  trouble(activity) === "denied" ? "denied" : (activity.event?.outcome ?? "unknown");

const NOWHERE = { lenses: [], permissions: [], trail: false };

/** Why a reader sees less than everything of a place, as sentences; `why` says it of one organization,
 * or "" where everything of it is seen. */
export function lessIn(me, { view, organization, filters }, why) {
  if (!me || me.reader.platform_roles.length) return "";
  const here = view === "organization" ? [organization] : valuesOf(filters, "organization");
  const known = me.organizations.length ? me.organizations.filter((one) => !here.length || here.includes(one.id)) : [NOWHERE];
  return [...Map.groupBy(known, why)]
    .filter(([said]) => said)
    .map(([said, some]) => texts.own.see(some.length === known.length ? "" : some.map((one) => one.name || one.id).join(", "), said))
    .join(" ");
}
const valuesOf = (filters, name) => filters.filter(([other]) => other === name).map(([, value]) => value);

/** The same of entries: by the lenses that the reader's roles open. */
export function ownOnly(me, place) {
  const chosen = isAgents(place.view) ? ["agent"] : valuesOf(place.filters, "lens");
  return lessIn(me, place, ({ lenses, permissions, trail }) => {
    const closed = Object.keys(texts.own.lenses).filter((one) => !lenses.includes(one) && (!chosen.length || chosen.includes(one)));
    if (!closed.length) return "";
    return trail ? texts.own.part(closed, permissions.includes("org:audit")) : texts.own.trail;
  });
}

const organizationNames = new Map(); // organization id -> the name that the server knows
/** Learn the names of the organizations that the reader has to do with. */
export function meet(me) {
  for (const { id, name } of me.organizations ?? []) if (name && name !== id) organizationNames.set(id, name);
}
/** What an organization is called: by the entry, else by the server, else by its id. */
export const organizationName = (one) => one?.name || organizationNames.get(one?.id) || one?.id || "";

export const personName = (person) => person?.full_name || person?.name || person?.email || person?.id || "";

/** "Jonas Osei" -> "J. Osei" */
export function shortName(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.length > 1 && !name.includes("@") ? `${[...words[0]][0]}. ${words.slice(1).join(" ")}` : name;
}

export function initials(name) {
  const words = name.split(/[\s._@-]+/).filter((part) => /^[\p{L}\p{N}]/u.test(part));
  if (!words.length) return "?";
  const letters = words.length > 1 && !name.includes("@") ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((part) => [...part][0].toUpperCase()).join("");
}

export const initiator = (activity) => activity.activity?.initiator ?? null;
export const approver = (activity) => activity.activity?.approver ?? null;
const OTHER_STAGES = ["proposed", "executing", "completed", "failed"];
/** What was decided, when, by whom, and whether that is proven. */
export function decision(activity) {
  const own = activity.activity ?? {};
  if (!own.decision && !own.approver)
    return { ...own.decided, proven: own.decided?.authenticated };
  // The time of a run that names its decision is another one.
  const at = own.decision && !OTHER_STAGES.includes(own.proposal?.stage) ? activity["@timestamp"] : undefined;
  return { ...own.decision, at, approver: own.approver, proven: own.approver?.authenticated };
}
const isAgent = (activity) => activity.activity?.origin === "agent";

/** Who did it: {kind: "agent"|"person"|"system"|"nobody", name, person}. */
export function actor(activity) {
  const user = activity.user ?? {};
  const name = personName(user);
  const decided = verb(activity) === "decide" && activity.activity?.decision?.source === "user";
  if (isAgent(activity) && !(decided && name)) {
    const person = initiator(activity) ?? user;
    return { kind: "agent", name: personName(person), person };
  }
  if (name) return { kind: "person", name, person: user };
  if (activity.activity?.origin === "system")
    return { kind: "system", name: activity.service?.name ?? "", person: {} };
  return { kind: "nobody", name: "", person: {} };
}

export const asked = (activity) => initiator(activity) ?? activity.user ?? {};
export const personKey = (person) => person?.id || person?.email || person?.name || person?.full_name || "";
export const resource = (activity) => activity.activity?.resource ?? {};
export const resourceLabel = (activity) => resource(activity).name || resource(activity).id || "";
export const typeLabel = (type) => String(type ?? "").replace(/_/g, " ");

/** The name of a resource with what holds it: "web-prod-01 / nginx". */
export function target(activity) {
  const { parent } = resource(activity);
  const name = resourceLabel(activity);
  const holder = parent?.name || parent?.id;
  return holder && holder !== name ? [holder, name] : [name];
}

/** What the filter `ip` finds it by. */
export const ip = (activity) => activity.source?.ip ?? activity.client?.ip;
export const address = (activity) => ip(activity) ?? activity.source?.address ?? "";

export function browser(activity) {
  const agent = activity.user_agent;
  if (!agent) return "";
  const version = agent.version ? ` ${String(agent.version).split(".")[0]}` : "";
  const system = agent.os?.name ? ` on ${agent.os.name}` : "";
  return agent.name ? `${agent.name}${version}${system}` : (agent.original ?? "");
}

/** Any value of a state as one line: text bare, all else as JSON. */
export const asText = (value) =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);

const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** {a: {b: 1}} -> Map {"a.b": 1}; lists stay whole. */
function flatten(value, prefix = "", into = new Map()) {
  if (isPlain(value) && Object.keys(value).length) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, prefix ? `${prefix}.${key}` : key, into);
  } else into.set(prefix, value);
  return into;
}

/** The changes: [{field, old, new}], from the stored list or by comparing both states. */
export function changes(activity) {
  const stored = activity.activity?.changes;
  if (Array.isArray(stored) && stored.length) return stored;
  const { old_value: before, new_value: after } = activity.activity ?? {};
  if (before === undefined && after === undefined) return [];
  const [a, b] = [flatten(before), flatten(after)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.has(key) !== b.has(key) || asText(a.get(key)) !== asText(b.get(key)))
    .filter((key) => key !== "" || a.get(key) !== undefined || b.get(key) !== undefined)
    .map((field) => ({ field, old: a.get(field), new: b.get(field) }));
}

export function fieldCount(activity) {
  const { old_value: before, new_value: after } = activity.activity ?? {};
  return new Set([...flatten(before).keys(), ...flatten(after).keys()]).size;
}

const named = (change, which) => {
  const text = asText(change[which]);
  return text && change.field ? `${change.field}: ${text}` : text;
};

/** One side of a change as a line: a simple one as its text, a complex one by its fields. */
export function side(activity, which) {
  const value = activity.activity?.[which === "old" ? "old_value" : "new_value"];
  if (value === undefined || value === null) {
    const one = changes(activity);
    return one.length === 1 ? named(one[0], which) : "";
  }
  if (!isPlain(value)) return asText(value);
  const list = changes(activity).filter((change) => asText(change[which]) !== "");
  return list.map((change) => named(change, which)).join(", ");
}

/** One line of further context, for the column Details. */
export function gist(activity) {
  const list = changes(activity);
  const { old_value: before, new_value: after } = activity.activity ?? {};
  if (list.length && (before !== undefined || after !== undefined || activity.activity?.changes)) {
    const first = list.slice(0, 2).map((change) => {
      const [a, b] = [asText(change.old), asText(change.new)];
      return `${change.field ? `${change.field} ` : ""}${a && b ? `${a} → ${b}` : b || a}`;
    });
    return first.join(", ") + (list.length > 2 ? `, +${list.length - 2}` : "");
  }
  return (
    activity.message ||
    activity.event?.reason ||
    activity.error?.message ||
    activity.activity?.execution?.error ||
    activity.activity?.execution?.output ||
    activity.activity?.proposal?.rationale ||
    ""
  );
}
