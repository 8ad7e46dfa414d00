// New activities as they come: server-sent events, or asking again where they do not get through.

import { ask } from "./api.js";
import { question } from "./place.js";

const POLL = 15000,
  SETTLE = 800,
  PATIENCE = 3,
  MOST = 500,
  LOOKED_AT = 100;

const META = "activity_log.";
/** Whether filters ask for the log's own entries: as the stream has it. */
const asksForMeta = (query) =>
  query.getAll("action").some((one) => one.startsWith(META)) ||
  query.getAll("action_contains").some((one) => "activity_log".includes(one) || one.includes(META)) ||
  query.getAll("type").includes("ActivityLogs");

export class Live {
  /** `changed` is called when `state` or `fresh` did. */
  constructor(changed) {
    this.changed = changed;
    this.state = "off"; // off, connecting, on, polling
    this.fresh = 0;
    this.more = false; // there are more than `fresh`, nobody knows how many
  }

  /** Start to follow what a place shows; `answer` is what it shows already. */
  follow(place, answer) {
    this.begin(question(place), answer.activities.map((activity) => activity.id), answer.page.as_of);
  }

  /** Start to follow what a query finds, but for `known`; `asOf` is when what is shown was read. */
  begin(query, known, asOf) {
    this.stop();
    this.query = query;
    this.known = new Set(known);
    this.asOf = asOf;
    this.set("connecting");
    // Who goes through filters quickly does not open a stream for each.
    this.settling = window.setTimeout(() => this.connect(), SETTLE);
  }

  connect() {
    this.source?.close();
    const query = new URLSearchParams(this.query);
    query.set("as_of", this.asOf); // what came since the list was read is new too
    const source = new EventSource(`/api/v1/activities/stream?${query}`);
    let failures = 0;
    this.source = source;
    source.addEventListener("open", () => {
      failures = 0;
      window.clearInterval(this.timer);
      this.set("on");
    });
    source.addEventListener("activity", ({ data }) => {
      let activity;
      try {
        activity = JSON.parse(data);
      } catch {
        return;
      }
      this.hear(activity);
    });
    source.addEventListener("reset", () => this.missed());
    source.addEventListener("error", () => {
      failures += 1;
      if (source.readyState === EventSource.CLOSED || failures >= PATIENCE) {
        source.close();
        this.poll();
      } else if (this.state === "on") this.set("connecting");
    });
  }

  /** Something was missed that cannot be given any more: the list is to be read again. */
  missed() {
    this.fresh = Math.max(1, this.fresh);
    this.more = true;
    this.changed();
  }

  hear(activity) {
    if (!activity.id || this.known.has(activity.id)) return;
    this.known.add(activity.id);
    this.heard(activity);
  }

  heard() {
    this.fresh = Math.min(MOST, this.fresh + 1);
    this.changed();
  }

  /** Look for what came since the answer, as the stream does. */
  async count() {
    const asked = this.query;
    const query = new URLSearchParams(asked);
    query.set("size", String(LOOKED_AT));
    const { activities } = await ask("/api/v1/activities", { query });
    if (asked !== this.query) return;
    const since = Date.parse(this.asOf);
    const meta = asksForMeta(query);
    this.counted(
      activities.filter(
        (one) =>
          !this.known.has(one.id) &&
          Date.parse(one.event?.ingested) > since &&
          (meta || !one.event?.action?.startsWith(META)),
      ),
    );
  }

  counted(found) {
    if (found.length <= this.fresh) return;
    this.fresh = found.length;
    this.more = found.length === LOOKED_AT;
    this.changed();
  }

  /** Count now and then, and try the stream again each time. */
  poll() {
    this.set("polling");
    window.clearInterval(this.timer);
    this.timer = window.setInterval(() => {
      if (document.hidden) return;
      // Where it fails, the next try says more; what is shown stays.
      this.count().then(
        () => {
          if (this.state === "polling") this.connect();
        },
        () => {},
      );
    }, POLL);
  }

  set(state) {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }

  stop() {
    window.clearTimeout(this.settling);
    window.clearInterval(this.timer);
    this.source?.close();
    this.source = null;
    this.fresh = 0;
    this.more = false;
    this.set("off");
  }
}
