// The words of Active Processes: texts, states, spans of time.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { exact } from "./time.js";
import { icon } from "./icons.js";
import { humanize, lessIn } from "./reading.js";
import { pick, plain, word } from "./words.js";

const number = new Intl.NumberFormat("en");
const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
const kinds = (verb) => ({ cancel: verb("Cancel"), retry: verb("Retry"), cleanup: verb("Clean-up") });

export const texts = {
  tabs: { label: "Processes", live: "Live", history: "Operation history" },
  show: { label: "Show", all: "All", look: "Needs a look", running: "Running" },
  groups: { now: "Now", ended: "Ended within the last hour" },
  channel: { label: "Kind of process", all: "All kinds" },
  states: {
    pending: "Pending",
    running: "Running",
    done: "Done",
    failed: "Failed",
    cancelled: "Cancelled",
    skipped: "Skipped",
    stalled: "Stalled",
    cleaned: "Cleaned up",
    broken_off: "Broken off",
  },
  stalled: (since) => `Nothing was heard since ${since}: whoever runs it may be gone.`,
  by: "started by",
  agent: "AI Pilot",
  agentFor: "for",
  on: "on",
  attempt: (n) => `attempt ${n}`,
  progress: (of) => `Progress of ${of}`,
  step: (state) => `${state}: `,
  steps: "Steps",
  noSteps: "It has named no steps.",
  failedAt: (at) => `Failed at ${at}`,
  error: "The whole error",
  trace: (n) => `Stack trace, ${count(n, "line", "lines")}`,
  cut: "This is its beginning: the entry in the audit trail has the whole.",
  lastLines: (of) => `Last output of ${of}`,
  wholeOutput: "Output",
  case: "AI activity of this case",
  earlier: "Earlier attempts",
  earlierOne: (n, state) => `Attempt ${n}: ${state}`,
  pill: (fresh, look) =>
    [fresh ? count(fresh, "new process", "new processes") : "", look ? `${number.format(look)} to look at` : ""]
      .filter(Boolean)
      .join(", "),
  show_pill: (what) => `Show ${what}`,
  own: "the processes that you started; those of others take the permission process:view",
  withheld: "the processes that you started; the organization withholds those of others from your role",
  empty: {
    title: "Nothing is running",
    own: "Nothing that you started is running",
    hint: "Processes show up here as soon as one starts, and stay for an hour after they ended.",
    filtered: "No process fits what you chose",
    history: "Operation history",
    all: "Show all",
  },
  more: "There are more than these. Choose a channel to see more of it; the operation history has all.",
  connection: {
    label: "Connection",
    via: { websocket: "WebSocket", sse: "server-sent events", polling: "asking every few seconds" },
    live: "Live",
    polling: "Asking",
    connecting: "Connecting",
    waiting: "Disconnected",
    ended: "Not live",
    nothingMissed: (ago) => `resumed ${ago}, nothing missed`,
    anew: (ago) => `resumed ${ago}, shown anew as it is now`,
    again: (seconds) => (seconds > 0 ? `next try in ${seconds} s` : "trying now"),
    kept: "what is shown is from before",
    stale: "the step bus does not answer, steps may come late",
    // What the stream calls by a word of its own; a server's words are shown as they are.
    why: {
      unreachable: "The server cannot be reached. Check the connection, then try again.",
      offline: "This device is offline.",
      silent: "Nothing has been heard from the server for a while.",
      ended: "The server has ended the connection.",
    },
    now: "Try now",
    ends: {
      signed_out: "You are signed out.",
      forbidden: "You may not watch this any more.",
      protocol: "This page is older or newer than its server: load it again.",
    },
    reload: "Load again",
  },
  denied: {
    title: "You may not watch this",
    permission: "It takes the permission process:view in the organization, or to have started the process yourself.",
    hint: "Ask an owner or admin of the organization for a role that has it.",
  },
  controls: {
    names: { cancel: "Cancel", retry: "Retry", cleanup: "Clean up" },
    unsaid: {
      cancel: "It did not say what cancelling undoes.",
      retry: "Begins another attempt.",
      cleanup: "It did not say what cleaning up removes.",
    },
    ask: {
      cancel: (name) => `Cancel ${name}?`,
      cleanup: (name) => `Clean up after ${name}?`,
    },
    will: "What it does",
    done: "Done so far",
    nothingDone: "No step is done yet.",
    target: "Concerns",
    reason: "Reason (optional, kept in the audit trail)",
    keep: { cancel: "Let it run", cleanup: "Leave it as it is" },
    sending: "Asking",
    failed: (kind) => `${kind} was not accepted`,
    again: "Try again",
  },
  requests: {
    label: "What was asked of it",
    requested: kinds((kind) => (by) => `${kind} asked${by}, waiting for the process to take it`),
    taken: kinds((kind) => (by) => `${kind} under way, asked${by}`),
    done: kinds((kind) => (by) => `${kind} carried out, asked${by}`),
    failed: kinds((kind) => (by) => `${kind} failed, asked${by}`),
    expired: kinds((kind) => (by) => `Nobody took the ${kind.toLowerCase()} in time, asked${by}`),
    by: (name) => ` by ${name}`,
    until: "until",
  },
  receipt: {
    title: "What is left",
    undone: "Undone",
    left_behind: "Left behind",
    needs_person: "Needs a person",
    nothing: {
      both: "Nothing is left behind and nothing needs a person.",
      left_behind: "Nothing is left behind.",
      needs_person: "Nothing needs a person.",
    },
    unsaid: "It did not say what is left.",
  },
  output: {
    title: "Output",
    label: (of) => `Output of ${of}`,
    none: "It printed nothing.",
    step: "Step",
    everyStep: "all steps",
    find: "Find in the output",
    found: (n) => count(n, "line", "lines"),
    loading: (have, all) => `${have} of ${all} loaded`,
    size: (bytes, lines) => `${bytes}, ${count(lines, "line", "lines")}`,
    follow: "Jump to the newest",
    save: "Save",
    failed: "The output could not be loaded",
    more: "Load more",
    gone: "Output is kept for 30 days; this is what is left of it.",
    clipped: "… the line goes on: save the output to read all of it",
  },
  replay: {
    title: "Replay",
    play: "Play",
    pause: "Pause",
    speed: "Speed",
    times: (n) => `${n}×`,
    position: "Moment of the replay",
    of: (at, all) => `${at} of ${all}`,
    end: "As it ended",
    loading: "Loading what happened",
    failed: "The replay could not be loaded",
    cut: "It is longer than a replay can be: this is its beginning, and then its end.",
  },
  history: {
    caption: (n) => `${count(n, "operation", "operations")}, newest first`,
    loaded: (n, about) => `${about ? "About " : ""}${count(n, "operation", "operations")} found`,
    heads: {
      state: "Status",
      name: "Operation",
      channel: "Type",
      organization: "Organization",
      where: "Server or cloud account",
      who: "Started by",
      started: "Started",
      duration: "Took",
    },
    filters: {
      state: "Status",
      channel: "Type",
      server: "Server",
      cloud_account: "Cloud account",
      target: "Target",
      initiator: "Started by",
      when: "When",
    },
    ranges: { "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days" },
    empty: "No operation fits",
    emptyAll: "No operation is on record yet",
    emptyOwn: "No operation of yours is on record yet",
    emptyHint: "As soon as a process was started, it stays here.",
    search: "Search name, target or who started it",
  },
  one: {
    back: "All processes",
    started: "Started",
    ended: "Ended",
    took: "Took",
    expected: "Silence is normal until",
    target: "Target",
    server: "Server",
    account: "Cloud account",
    where: "Organization",
    project: "Project",
    workspace: "Workspace",
    environment: "Environment",
    by: "Started by",
    id: "Id",
    channel: "Type",
    none: "There is no process at this address",
    noneHint: "It does not exist, or it is past its retention, or you may not see it.",
  },
};

/** state -> [icon, tone] */
const LOOKS = {
  pending: ["circle-dashed", "calm"],
  running: ["loader-circle", "info"],
  done: ["circle-check", "good"],
  failed: ["circle-x", "bad"],
  cancelled: ["ban", "calm"],
  skipped: ["skip-forward", "calm"],
  stalled: ["hourglass", "warn"],
  cleaned: ["eraser", "calm"],
  broken_off: ["circle-slash", "warn"],
};
export const look = (state) => pick(LOOKS, state) ?? ["circle-help", "calm"];
export const stateName = (state) => pick(texts.states, state) ?? humanize(state);

export const standing = (process) =>
  process.cleaned ? "cleaned" : process.stalled ? "stalled" : (process.state ?? "pending");

export const isOpen = (process) => process.state === "running" || process.state === "pending";

/** What waits for a person: it failed, fell silent, or left something to put right. */
export const needsLook = (process) =>
  Boolean(process.receipt?.needs_person?.length) || (!process.cleaned && (process.stalled || process.state === "failed"));

export const badge = (state) => {
  const [sign, tone] = look(state);
  return html`<span class=${`badge ${tone}`}>${icon(sign)}<span>${stateName(state)}</span></span>`;
};

/** How a process is; of one that was cleaned up also how it ended. */
export const badges = (process) =>
  process.cleaned
    ? html`<span class="badges">${badge(process.state)}${badge("cleaned")}</span>`
    : badge(standing(process));

/** Whether the organization is told: not where one was chosen, nor where the reader has but one. */
export function tellsOrganization(app, process) {
  if (app.place.filters.some(([name]) => name === "organization")) return false;
  const { reader, organizations: known = [] } = app.me ?? {};
  if (known.length !== 1 || reader?.platform_roles?.length) return true;
  return Boolean(process?.organization?.id) && process.organization.id !== known[0].id;
}

/** "0.8 s", "24 s", "1 min 12 s", "2 h 05 min" */
export function span(milliseconds) {
  const ms = Math.max(0, Number(milliseconds) || 0);
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long something took, or takes so far: `tick` writes into the empty ones. */
export function took(one, zone, running) {
  if (!one.started) return nothing;
  const tip = exact(one.started, zone);
  if (running)
    return html`<time class="took" datetime=${one.started} data-tip=${tip} data-since=${Date.parse(one.started)}></time>`;
  const ms = one.duration_ms ?? (one.ended ? Date.parse(one.ended) - Date.parse(one.started) : null);
  return ms === null || ms === undefined
    ? nothing
    : html`<time class="took" datetime=${`PT${(ms / 1000).toFixed(3)}S`} data-tip=${tip}>${span(ms)}</time>`;
}

export function tick(root, skew = 0) {
  const now = Date.now() + skew;
  for (const element of root.querySelectorAll("[data-since]")) {
    const text = span(Math.floor((now - Number(element.dataset.since)) / 1000) * 1000 || 0).replace(/^(\d)\.0 s$/, "$1 s");
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Icons that a channel may name: those that are drawn here. */
const DRAWN = new Set(["server", "archive", "globe", "lock", "git-branch", "box", "cloud", "shield", "truck",
  "database", "rocket", "container", "package", "network", "key-round", "layers", "cpu"]); // prettier-ignore
let channels = new Map();
/** Takes the answer of GET /api/v1/channels. */
export function learnChannels(answer) {
  channels = new Map((answer?.channels ?? []).map((channel) => [channel.name, channel]));
}
export const channelNames = () => [...channels.keys()];
export const channelLabel = (name) => channels.get(name)?.label ?? humanize(name);
export const channelIcon = (name) => {
  const named = channels.get(name)?.icon;
  return DRAWN.has(named) ? named : "workflow";
};

export const bytes = (n) =>
  n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1000).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;

export function starter(process) {
  const { initiator } = process;
  if (!initiator) return nothing;
  const name = initiator.full_name || initiator.name || initiator.email || initiator.id;
  if (!initiator.agent) return name ? html`${word(name, { limit: 120 })}` : nothing;
  return html`<span class="agent">${icon("bot")}${texts.agent}</span>${name ? html` ${texts.agentFor} ${word(name, { limit: 120 })}` : nothing}`;
}

/** Colours of terminals say nothing here; everything else that is hidden is made visible. */
// eslint-disable-next-line no-control-regex
const SGR = /\u001b\[[0-9;]*[mK]/g;
export const uncoloured = (text) => String(text ?? "").replace(SGR, "");

/** Whose processes a reader sees, as a sentence; "" where a role shows those of others, or a part of them. */
export const ownOnly = ({ me, place }) =>
  plain(lessIn(me, place, ({ processes, permissions }) => (processes ? "" : permissions.includes("process:view") ? texts.withheld : texts.own)), 400);
