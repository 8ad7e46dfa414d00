// The URL is the state: where we are, which filters hold, which page and row are open.

const OWN = new Set(["page", "size", "cursor", "as_of", "columns", "open", "next", "tab"]);

/** Entries on a page, as the API offers them. */
export const SIZES = [25, 50, 100];
/** The first page of an answer, with no row open. */
export const FIRST = { page: 1, cursor: null, asOf: null, open: null };

/** The address of an organization's trail. */
export const trailOf = (id) => `/organizations/${encodeURIComponent(id)}/activity-logs`;

function decoded(part = "") {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of one process. */
export const processOf = (id) => `/processes/${encodeURIComponent(id)}`;
/** The views of the lens Active Processes, whose modules are loaded when it is opened. */
export const isProcesses = (view) => view === "processes" || view === "process";

/** What the address says. `filters` is a list of [name, value] in the order of the URL. */
export function read(location = window.location) {
  const query = new URLSearchParams(location.search);
  const organization = /^\/organizations\/([^/]+)\/activity-logs\/?$/.exec(location.pathname);
  const process = /^\/processes\/([^/]+)\/?$/.exec(location.pathname);
  let view = { "/": "home", "/audit": "audit", "/ai": "ai", "/login": "login", "/processes": "processes" }[
    location.pathname.replace(/(.)\/$/, "$1")
  ];
  if (organization) view = "organization";
  if (process) view = "process";
  return {
    view: view ?? "nowhere",
    organization: decoded(organization?.[1]),
    process: decoded(process?.[1]),
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
  const path =
    {
      home: "/",
      audit: "/audit",
      ai: "/ai",
      login: "/login",
      processes: "/processes",
      process: processOf(place.process),
      organization: trailOf(place.organization),
    }[place.view] ?? window.location.pathname;
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
  if (place.view === "ai" && !query.has("lens")) query.set("lens", "agent");
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
