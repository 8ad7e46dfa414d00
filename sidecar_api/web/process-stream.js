// The live processes as a module for any page of this address (docs/process-stream.md, "In a page").

const SUBPROTOCOL = "activity-center.processes.v1";
const VERSION = 1;
const WAYS = ["websocket", "sse", "polling"];

/** Signed out, not allowed, or another protocol: trying again would not help. */
const FINAL = { 4401: "signed_out", 4403: "forbidden", 4409: "protocol" };

/** Milliseconds: what a server may ask to wait at most; what ended is let go of by the server after an hour, and a little later here. */
const LONGEST_WAIT = 300_000;
const KEPT = 3_900_000;
/** States of a process in which it has ended. */
export const ENDS = new Set(["done", "failed", "cancelled"]);

/** What tells a process from others: its organization and its id. Takes a process or a delta. */
export const keyOf = ({ id, organization }) => `${organization?.id ?? organization ?? ""} ${id}`;

/** Rows of a list that a delta replaces in place or appends. */
function rows(before, changed, key) {
  const made = [...before];
  for (const row of changed) {
    const at = made.findIndex((one) => one[key] === row[key]);
    if (at === -1) made.push(row);
    else made[at] = row;
  }
  return made;
}

/**
 * The one rule by which a delta changes a process (docs/process-stream.md); neither is altered.
 * `process` is null where the delta is the first that is heard of it.
 */
export function merge(process, delta) {
  const before = process ?? {};
  const renewed = new Set(delta.renewed);
  const kept = (name) => (renewed.has(name) ? [] : (before[name] ?? []));
  const made = { ...before, ...delta.process };
  made.steps = rows(kept("steps"), delta.steps ?? [], "index");
  made.requests = rows(kept("requests"), delta.requests ?? [], "id");
  made.output = before.output ?? { lines: [], bytes: 0, total: 0 };
  if (delta.output) {
    const { bytes, total, kept: most } = delta.output;
    const lines = [...(renewed.has("lines") ? [] : made.output.lines), ...(delta.lines ?? [])];
    made.output = { lines: most ? lines.slice(-most) : [], bytes, total };
  }
  return made;
}

export class ProcessStream extends EventTarget {
  /**
   * @param options `channel`, `organization`, `process` narrow it down; `ways` in order; milliseconds:
   *   `retry` (half of it is chance), `silence` (then it counts as dead), `patience` (a way counts as shut), `upgrade`.
   */
  constructor(options = {}) {
    super();
    this.options = { ways: WAYS, retry: 5000, silence: 45000, patience: 10000, upgrade: 30000, ...options };
    this.base = options.base ?? new URL(import.meta.url).origin;
    this.processes = new Map();
    this.place = null; // {epoch, offset} of the last message
    /** via: a way or ""; phase: connecting, live, waiting or ended; recovered: true, false or null; staleSince: the server cannot read what is new. */
    this.state = { via: "", phase: "connecting", recovered: null, resumedAt: null, retryAt: null, staleSince: null, reason: "" };
    this.skew = undefined; // what the server's clock is ahead, in milliseconds; undefined: not known
    this.heard = false; // whether a snapshot came yet
    this.cut = false; // whether there are more processes than it has
    this.refused = 0; // ways that do not get through here
    this.turn = 0; // what belongs to an earlier turn is not listened to
  }

  start() {
    this.woken = () => {
      if (document.visibilityState !== "visible" || !this.running) return;
      if (this.state.phase === "waiting") this.connect();
      else this.listenFor();
    };
    this.online = () => this.running && this.state.phase === "waiting" && this.connect();
    this.offline = () => this.running && this.state.phase !== "waiting" && this.lost("offline");
    this.listeners = [[document, "visibilitychange", this.woken], [window, "pageshow", this.woken], [window, "online", this.online], [window, "offline", this.offline]]; // prettier-ignore
    for (const [where, name, what] of this.listeners) where.addEventListener(name, what);
    this.running = true;
    this.watchdog = setInterval(() => (this.listenFor(), this.forget()), Math.min(1000, this.options.silence / 3));
    this.connect();
  }

  stop() {
    this.running = false;
    this.close();
    clearInterval(this.watchdog);
    for (const [where, name, what] of this.listeners) where.removeEventListener(name, what);
  }

  listenFor() {
    const { silence, patience } = this.options;
    if (this.state.phase === "waiting") return;
    const age = Date.now() - this.lastWord;
    if (age <= (this.opened ? silence : patience)) return;
    if (this.opened || this.asking) this.lost(this.opened ? "silent" : "unreachable");
    else this.blocked();
  }

  get way() {
    return this.options.ways[Math.min(this.refused, this.options.ways.length - 1)];
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    clearTimeout(this.better);
    this.abort?.abort();
    const { socket } = this;
    this.socket = null;
    if (socket?.readyState !== WebSocket.CONNECTING) return void socket?.close(1000);
    // One that is closed while it connects is an error in the browser's log, and nobody's fault.
    socket.onopen = () => socket.close(1000);
    setTimeout(() => socket.close(1000), this.options.patience);
  }

  connect() {
    this.close();
    this.lastWord = Date.now();
    this.opened = false;
    this.abort = new AbortController();
    if (this.state.phase !== "live") this.tell({ phase: "connecting", retryAt: null });
    const go = { websocket: () => this.listen(), sse: () => this.read(), polling: () => this.poll() };
    go[this.way]();
  }

  query(more = {}) {
    const { organization, process } = this.options;
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ organization, process, ...more }))
      if (value) query.set(name, value);
    const text = query.toString();
    return text ? `?${text}` : "";
  }

  get since() {
    return this.place ? `${this.place.epoch}:${this.place.offset}` : "";
  }

  // -- WebSocket ------------------------------------------------------------------------------

  listen() {
    const { turn } = this;
    const channel = this.options.channel ? `/${encodeURIComponent(this.options.channel)}` : "";
    const url = new URL(`/ws/processes${channel}${this.query(this.place ?? {})}`, this.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(url, SUBPROTOCOL);
    } catch {
      return void this.blocked(); // a content security policy that forbids it
    }
    this.socket = socket;
    socket.onmessage = (event) => {
      if (turn !== this.turn) return;
      const message = parse(event.data);
      if (message?.type === "ping") socket.send('{"type":"pong"}');
      this.take(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (turn !== this.turn) return;
      // Refused before anything was said (Origin), another way may be open.
      const refused = code === 1008 && (this.opened || this.refused + 1 >= this.options.ways.length);
      if (FINAL[code] || refused) this.end(FINAL[code] ?? "forbidden", reason);
      else if (this.opened || code === 4429)
        this.lost(reason || String(code), Number(/Retry-After: *(\d+)/.exec(reason)?.[1]) * 1000);
      else this.blocked();
    };
  }

  // -- server-sent events, read with fetch: it tells the status and takes a place to go on from --

  async read() {
    const { turn } = this;
    try {
      const response = await this.ask("stream", {
        Accept: "text/event-stream",
        ...(this.place ? { "Last-Event-ID": this.since } : {}),
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (turn !== this.turn) return;
        if (done) break;
        this.lastWord = Date.now();
        const blocks = (rest + value).split(/\r?\n\r?\n/);
        rest = blocks.pop();
        for (const block of blocks) this.event(block);
      }
      this.lost("ended");
    } catch (error) {
      if (turn === this.turn) this.wrong(error);
    }
  }

  event(block) {
    const fields = { event: "message", data: [] };
    for (const line of block.split(/\r?\n/)) {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === "data") fields.data.push(value);
      else if (name) fields[name] = value;
    }
    const message = parse(fields.data.join("\n"));
    if (!message) return;
    if (fields.event === "ping") this.moved(fields.id);
    // There is no hello here: what comes first tells whether this goes on where it was.
    const recovered = this.place ? fields.event === "delta" : null;
    if (!this.opened) this.take({ type: "hello", version: VERSION, recovered });
    this.take({ ...message, type: fields.event });
  }

  /** A sign of life may name a further place. */
  moved(id) {
    const at = id?.lastIndexOf(":") ?? -1;
    if (at > 0) this.place = { epoch: id.slice(0, at), offset: id.slice(at + 1) };
  }

  // -- asking -----------------------------------------------------------------------------------

  async poll() {
    const { turn } = this;
    try {
      const answer = await (await this.ask("live", {}, { since: this.since })).json();
      if (turn !== this.turn) return;
      this.answered(answer);
      this.timer = setTimeout(() => this.poll(), (answer.wait ?? 2) * 1000);
    } catch (error) {
      if (turn === this.turn) this.wrong(error);
    }
  }

  answered(answer) {
    const { epoch, offset } = answer;
    this.lastWord = Date.now();
    if (!this.opened || answer.recovered === false)
      this.take({ type: "hello", version: VERSION, ...answer, recovered: this.place ? answer.recovered : null });
    if (answer.processes) this.take({ type: "snapshot", ...answer });
    if (answer.changes?.length || !answer.processes)
      this.take({ type: "delta", epoch, offset, changes: answer.changes ?? [] });
    this.told(answer);
  }

  async ask(path, headers, more = {}) {
    const { channel } = this.options;
    const response = await fetch(
      new URL(`/api/v1/processes/${path}${this.query({ channel, ...more })}`, this.base),
      { headers, credentials: "same-origin", cache: "no-store", signal: this.abort.signal },
    );
    if (response.ok) return response;
    const said = await response.json().catch(() => ({}));
    throw Object.assign(new Error(said.detail ?? said.title ?? ""), {
      status: response.status,
      said,
      after: Number(response.headers.get("Retry-After")) * 1000,
    });
  }

  wrong(error) {
    if (error.name === "AbortError") return;
    const { status } = error;
    if (status === 401) this.end("signed_out", error.message, error);
    else if (status === 403 || status === 404 || status === 400) this.end("forbidden", error.message, error);
    else if (this.opened || !status || status === 429 || this.way === "polling") this.lost(error.message, error.after);
    else this.blocked();
  }

  // -- what all three have in common ----------------------------------------------------------------

  /**
   * A way did not open. Asking once tells whether the server can be reached at all, and if so
   * shows at once what there is; then the next way is tried.
   */
  async blocked() {
    const { turn } = this;
    this.asking = true;
    this.lastWord = Date.now(); // this has as much patience as a way
    try {
      const answer = await (await this.ask("live", {}, { since: this.since })).json();
      if (turn !== this.turn) return;
      this.refused += 1;
      this.answered(answer);
      this.connect();
    } catch (error) {
      if (turn !== this.turn) return;
      if (error.status) this.wrong(Object.assign(error, { status: error.status > 404 ? 0 : error.status }));
      else this.lost("unreachable");
    } finally {
      this.asking = false;
    }
  }

  take(message) {
    this.lastWord = Date.now();
    switch (message?.type) {
      case "hello":
        if (message.version !== VERSION) return void this.end("protocol");
        this.opened = true;
        this.told(message);
        if (message.heartbeat) this.options.silence = Math.min(this.options.silence, message.heartbeat * 3000);
        this.tell({
          via: this.way,
          phase: "live",
          retryAt: null,
          reason: "",
          recovered: message.recovered ?? this.state.recovered,
          resumedAt: typeof message.recovered === "boolean" ? Date.now() : this.state.resumedAt,
        });
        break;
      case "snapshot":
        this.opened = true;
        this.processes = new Map(message.processes.map((process) => [keyOf(process), process]));
        this.cut = message.cut === true;
        this.reached(message, null);
        break;
      case "delta": {
        const touched = new Set();
        for (const change of message.changes) {
          const key = keyOf(change);
          this.processes.set(key, merge(this.processes.get(key), change));
          touched.add(key);
        }
        this.reached(message, touched);
        break;
      }
      case "reset": // what comes is whole again, but not everything in between was seen
        this.tell({ recovered: false, resumedAt: Date.now(), reason: message.reason ?? "" });
        break;
      case "ping":
        this.told(message);
        break;
      default: // the close that follows an error says the same; a newer server may say more
    }
  }

  told({ at, stale_since: since = null }) {
    if (!at) return; // made up for a way that has no such message
    this.skew = Date.parse(at) - Date.now() || 0;
    if (since !== this.state.staleSince) this.tell({ staleSince: since });
  }

  reached({ epoch, offset }, touched) {
    if (epoch !== undefined) this.place = { epoch, offset };
    this.heard = true;
    if (!this.opened || this.state.phase !== "live") {
      this.opened = true;
      this.tell({ via: this.way, phase: "live", retryAt: null, reason: "" });
    }
    this.dispatchEvent(new CustomEvent("processes", { detail: touched })); // null: all of them
  }

  forget() {
    if (this.skew === undefined) return;
    const before = new Date(Date.now() + this.skew - KEPT).toISOString();
    const gone = [...this.processes].filter(([, one]) => ENDS.has(one.state) && one.updated < before).map(([key]) => key);
    for (const key of gone) this.processes.delete(key);
    if (gone.length) this.dispatchEvent(new CustomEvent("processes", { detail: new Set(gone) }));
  }

  /** Back to the best way; if it is still shut, the next one goes on where this one was. */
  upgrade() {
    this.refused = 0;
    this.connect();
  }

  lost(reason, after) {
    this.close();
    const { retry } = this.options;
    const wait = Math.max(Math.min(after || 0, LONGEST_WAIT), retry / 2 + (Math.random() * retry) / 2);
    this.timer = setTimeout(() => this.connect(), wait);
    this.tell({ phase: "waiting", reason: reason ?? "", retryAt: Date.now() + wait });
  }

  end(phase, reason = "", error = null) {
    this.close();
    clearInterval(this.watchdog);
    this.running = false;
    this.tell({ phase: "ended", ended: phase, reason, retryAt: null, error });
  }

  tell(change) {
    this.state = { ...this.state, ...change };
    if (this.state.phase === "live" && this.refused) {
      clearTimeout(this.better);
      this.better = setTimeout(() => this.upgrade(), this.options.upgrade);
    }
    this.dispatchEvent(new CustomEvent("state", { detail: this.state }));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
