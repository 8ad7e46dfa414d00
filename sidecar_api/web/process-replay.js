// What happened to a process, entry by entry, as the deltas that a watcher saw at the time.

import { merge } from "./process-stream.js";

const ENDS = new Set(["done", "failed", "cancelled"]);
const STATES = {
  "process.started": "running",
  "process.progress": "running",
  "process.retried": "pending",
  "process.completed": "done",
  "process.failed": "failed",
  "process.cancelled": "cancelled",
  "process.cleaned_up": "failed",
};
const STEP_STATES = {
  pending: "pending",
  started: "running",
  progress: "running",
  completed: "done",
  failed: "failed",
  skipped: "skipped",
  cancelled: "cancelled",
};
const ASKED = { "process.cancel": "cancel", "process.retry": "retry", "process.cleanup": "cleanup" };
const ANSWERED = { "process.control_taken": "taken", "process.control_done": "done", "process.control_expired": "expired" };

const errorOf = ({ error, event }) =>
  error || event?.reason
    ? { message: error?.message ?? event?.reason, type: error?.type ?? null, code: error?.code ?? null, stack_trace: error?.stack_trace ?? null }
    : null;

function stepRow(process, entry, at) {
  const { step } = entry.activity;
  const verb = /^process\.step\.(\w+)$/.exec(entry.event.action)?.[1];
  const state = (verb && (step.state ?? STEP_STATES[verb])) || null;
  const name = step.name ?? step.id;
  const known = process.steps.find((one) => one.id === step.id) ?? process.steps.find((one) => one.name === name);
  const index = known?.index ?? step.index ?? process.steps.length;
  const row = { id: step.id ?? name, name, index, state: "pending", progress: 0, started: null, ended: null, error: null, ...known };
  if (step.id) row.id = step.id;
  if (typeof step.progress === "number") row.progress = step.progress;
  if (!state) return row;
  row.state = state;
  if (state !== "pending" && state !== "skipped") row.started ??= at;
  row.ended = ENDS.has(state) || state === "skipped" ? at : null;
  row.duration_ms = row.ended && row.started ? Date.parse(row.ended) - Date.parse(row.started) : null;
  row.error = state === "failed" ? errorOf(entry) : null;
  if (state === "done") row.progress = 1;
  return row;
}

function request(process, entry, at) {
  const { control = {} } = entry.activity;
  const { action, outcome, reason } = entry.event;
  const known = (process.requests ?? []).find((one) => one.id === control.id);
  if (ASKED[action])
    return {
      ...known,
      id: control.id,
      kind: ASKED[action],
      attempt: entry.activity.process?.attempt ?? null,
      state: known?.state ?? "requested",
      by: { id: entry.user?.id, name: entry.user?.full_name ?? entry.user?.name },
      at,
      expires_at: control.expires_at,
      reason,
    };
  const state = ANSWERED[action] === "done" && (outcome === "failure" || control.state === "failed") ? "failed" : ANSWERED[action];
  // It was taken in time, and word of that came late (activity_center/processes/requests.py).
  if (state === "expired" && known && known.state !== "requested") return known;
  return { kind: control.kind, ...known, id: control.id, state, answer: entry.error?.message ?? null };
}

/** What cleaning up changes of what the end left, as activity_center/processes/receipt.py has it. */
function left(end, cleanup) {
  if (!end) return cleanup;
  const undone = cleanup.undone ?? [];
  const kept = Object.entries(end).map(([name, listed]) => [name, name === "undone" ? listed : listed.filter((one) => !undone.includes(one))]);
  const made = { ...Object.fromEntries(kept), ...cleanup };
  if (made.undone) made.undone = [...new Set([...(end.undone ?? []), ...undone])];
  return made;
}

function deltaOf(process, entry) {
  const { activity = {}, event } = entry;
  const at = entry["@timestamp"];
  const said = activity.process ?? {};
  const { action } = event;
  const delta = { id: process.id, process: { updated: at } };
  if (ASKED[action] || ANSWERED[action]) return { ...delta, requests: [request(process, entry, at)] };
  const attempt = said.attempt ?? 1;
  let base = process;
  if (attempt > (process.attempt ?? 0)) {
    const names = said.steps ?? process.steps.map((step) => step.name);
    Object.assign(delta.process, { attempt, state: "running", error: null, receipt: null, progress: 0, started: at, ended: null, duration_ms: null, stalled: false, cleaned: false });
    delta.renewed = ["steps", "lines"];
    delta.output = { bytes: 0, total: 0, kept: 0 };
    delta.steps = names.map((name, index) => ({ id: `step-${index + 1}`, name, index, state: "pending", progress: 0, started: null, ended: null, error: null }));
    base = { ...process, steps: delta.steps };
    // What was asked of an earlier attempt, and not taken, is void.
    const old = process.requests.filter((one) => one.state === "requested" && one.attempt && one.attempt < attempt);
    if (old.length) delta.requests = old.map((one) => ({ ...one, state: "expired" }));
  }
  // A step's entry may say that the process runs; that it ended tells its own entry alone.
  let state = STATES[action] ? (said.state ?? STATES[action]) : action === "process.stalled" ? null : said.state;
  if (ENDS.has(state) && !STATES[action]) state = "running";
  // Cleaning up changes nothing of how an attempt has ended.
  if (action === "process.cleaned_up" && ENDS.has(process.state)) state = null;
  if (state) {
    delta.process.state = state;
    if (ENDS.has(state)) {
      delta.process.ended = at;
      const began = delta.process.started ?? process.started;
      if (began) delta.process.duration_ms = Date.parse(at) - Date.parse(began);
      if (state === "failed") delta.process.error = errorOf(entry) ?? process.error ?? null;
    }
  }
  if (action === "process.stalled") delta.process.stalled = true;
  else if (process.stalled) delta.process.stalled = false;
  const cleanup = action === "process.cleaned_up";
  if (cleanup && event.outcome !== "failure") delta.process.cleaned = true;
  if (activity.receipt) delta.process.receipt = cleanup ? left(process.receipt, activity.receipt) : activity.receipt;
  if (typeof said.progress === "number") delta.process.progress = said.progress;
  if (activity.step && action.startsWith("process.step.")) {
    const row = stepRow(base, entry, at);
    delta.steps = [...(delta.steps ?? []).filter((one) => one.index !== row.index), row].sort((a, b) => a.index - b.index);
    const all = [...base.steps.filter((one) => one.index !== row.index), row];
    if (typeof said.progress !== "number") delta.process.progress = all.reduce((sum, one) => sum + (one.progress ?? 0), 0) / all.length;
  }
  if (delta.process.state === "done") delta.process.progress = 1;
  return delta;
}

export class Replay {
  constructor(process, entries) {
    this.frames = [];
    let now = {
      ...process,
      attempt: 0, attempts: [], state: "pending", stalled: false, cleaned: false, progress: 0, controls: [], error: null, ended: null,
      duration_ms: null, receipt: null, steps: [], requests: [], output: { lines: [], bytes: 0, total: 0 },
    }; // prettier-ignore
    for (const entry of entries) {
      const at = Date.parse(entry["@timestamp"]);
      if (Number.isNaN(at) || !entry.event?.action) continue;
      // Output is shown by its own times; what is merely alive changes nothing.
      if (now.attempt && /^process\.(output|heartbeat)$/.test(entry.event.action)) continue;
      now = merge(now, deltaOf(now, entry));
      this.frames.push({ at, process: now });
    }
    this.frames.sort((a, b) => a.at - b.at);
    this.begin = this.frames[0]?.at ?? 0;
    this.end = this.frames.at(-1)?.at ?? 0;
  }

  get length() {
    return this.end - this.begin;
  }

  /** The process as it was at a moment; what ran then has taken the time until then. */
  when(moment) {
    const then = this.at(moment);
    const until = (one) => (one.started && !one.ended ? { ...one, duration_ms: moment - Date.parse(one.started) } : one);
    return then && { ...until(then), past: true, steps: ENDS.has(then.state) ? then.steps : then.steps.map(until) };
  }

  at(moment) {
    let [low, high] = [0, this.frames.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.frames[middle].at <= moment) low = middle;
      else high = middle - 1;
    }
    return this.frames[low]?.process;
  }
}
