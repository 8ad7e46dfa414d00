// The URL is the state: where we are, which filters hold, which page and row are open.

const OWN = new Set(["page", "size", "cursor", "as_of", "columns", "open", "next", "tab"]);

/** Entries on a page, as the API offers them. */
export const SIZES = [25, 50, 100];
/** The first page of an answer, with no row open. */
export const FIRST = { page: 1, cursor: null, asOf: null, open: null };

/** An address with filters. */
export const within = (address, filters) => (filters.length ? `${address}?${new URLSearchParams(filters)}` : address);

/** The address of an organization's trail. */
export const trailOf = (id) => `/organizations/${encodeURIComponent(id)}/activity-logs`;

function decoded(part = "") {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of one process, proposal, agent or case. */
const addressOf = (kind) => (id) => `/${kind}/${encodeURIComponent(id)}`;
/** Two organizations may use the same id for a process, so its address names the organization. */
export const processOf = (id, organization) => `${addressOf("processes")(id)}${organization ? `?organization=${encodeURIComponent(organization)}` : ""}`;
export const proposalOf = addressOf("proposals");
export const agentOf = addressOf("agents");
export const caseOf = addressOf("cases");

const PLAIN = { home: "/", audit: "/audit", ai: "/ai", entries: "/ai/entries", oversight: "/ai/oversight", agents: "/agents", login: "/login", processes: "/processes" };
/** Views of one thing, which `place.subject` names. */
const ONE = { process: addressOf("processes"), proposal: proposalOf, agent: agentOf, case: caseOf };
const KINDS = { processes: "process", proposals: "proposal", agents: "agent", cases: "case" };

/** view -> the module that shows it, loaded when it is opened. */
const LENSES = { processes: "processes", process: "processes", ai: "proposals", proposal: "proposals", agents: "proposals", oversight: "proposals", agent: "proposals", case: "proposals" };
/** Name of the module whose lens shows a view; undefined: the page's own. */
export const lensOf = (view) => (Object.hasOwn(LENSES, view) ? LENSES[view] : undefined);
export const isProcesses = (view) => lensOf(view) === "processes";
/** Whether a view is about what AI agents do. */
export const isAgents = (view) => lensOf(view) === "proposals" || view === "entries";

/** What the address says. `filters` is a list of [name, value] in the order of the URL. */
export function read(location = window.location) {
  const query = new URLSearchParams(location.search);
  const organization = /^\/organizations\/([^/]+)\/activity-logs\/?$/.exec(location.pathname);
  const one = /^\/(processes|proposals|agents|cases)\/([^/]+)\/?$/.exec(location.pathname);
  const path = location.pathname.replace(/(.)\/$/, "$1");
  let view = Object.keys(PLAIN).find((name) => PLAIN[name] === path);
  if (organization) view = "organization";
  if (one) view = KINDS[one[1]];
  return {
    view: view ?? "nowhere",
    organization: decoded(organization?.[1]),
    subject: decoded(one?.[2]),
    tab: query.get("tab") === "history" ? "history" : null,
    filters: [...query].filter(([name, value]) => !OWN.has(name) && value !== ""),
    page: Math.max(1, Number.parseInt(query.get("page") ?? "1", 10) || 1),
    size: SIZES.includes(Number(query.get("size"))) ? Number(query.get("size")) : null,
    cursor: query.get("cursor"),
    asOf: query.get("as_of"),
    columns: query.get("columns"),
    open: query.get("open"),
    next: query.get("next"),
  };
}

/** The address of a place. */
export function write(place) {
  const path = Object.hasOwn(ONE, place.view)
    ? ONE[place.view](place.subject)
    : place.view === "organization"
      ? trailOf(place.organization)
      : (PLAIN[place.view] ?? window.location.pathname);
  const query = new URLSearchParams(place.filters ?? []);
  if (place.tab && place.view === "processes") query.set("tab", place.tab);
  if (place.columns) query.set("columns", place.columns);
  if (place.size) query.set("size", String(place.size));
  if (place.cursor) query.set("cursor", place.cursor);
  else if (place.page > 1) query.set("page", String(place.page));
  if (place.asOf) query.set("as_of", place.asOf);
  if (place.open) query.set("open", place.open);
  if (place.next) query.set("next", place.next);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** What the API is asked with at a place: its filters and what the view itself fixes. */
export function question(place, filters = place.filters) {
  const query = new URLSearchParams(filters);
  if (place.view === "organization") query.set("organization", place.organization);
  if (isAgents(place.view) && !query.has("lens")) query.set("lens", "agent");
  return query;
}

/** Where to go after signing in: a path of this page and nothing else. */
export function safeNext(next) {
  if (!next || !/^\/(?![/\\])/.test(next)) return "/audit";
  const url = new URL(next, window.location.origin);
  // "/.//host" is harmless until it is normalized: then it names another host.
  const here = url.origin === window.location.origin && !url.pathname.startsWith("//");
  return here ? url.pathname + url.search : "/audit";
}
