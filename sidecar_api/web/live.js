// New activities as they come: server-sent events, or asking again where they do not get through.

import { ask } from "./api.js";
import { question } from "./place.js";

const POLL = 15000,
  SETTLE = 800,
  PATIENCE = 3,
  MOST = 500;

export class Live {
  /** `changed` is called when `state` or `fresh` did. */
  constructor(changed) {
    this.changed = changed;
    this.state = "off"; // off, connecting, on, polling
    this.fresh = 0;
  }

  /** Start to follow what a place shows; `answer` is what it shows already. */
  follow(place, answer) {
    this.stop();
    this.query = question(place);
    this.known = new Set(answer.activities.map((activity) => activity.id));
    this.total = answer.page.total;
    this.set("connecting");
    if (place.asOf) this.count().catch(() => {}); // the stream tells of what comes from now on
    // Who goes through filters quickly does not open a stream for each.
    this.settling = window.setTimeout(() => this.connect(), SETTLE);
  }

  connect() {
    this.source?.close();
    const source = new EventSource(`/api/v1/activities/stream?${this.query}`);
    let failures = 0;
    this.source = source;
    source.addEventListener("open", () => {
      failures = 0;
      window.clearInterval(this.timer);
      this.set("on");
    });
    source.addEventListener("activity", (event) => this.take(event));
    // More was missed than the server catches up with: the list is to be read again.
    source.addEventListener("reset", () => {
      this.fresh = Math.max(1, this.fresh);
      this.changed();
    });
    source.addEventListener("error", () => {
      failures += 1;
      if (source.readyState === EventSource.CLOSED || failures >= PATIENCE) {
        source.close();
        this.poll();
      } else if (this.state === "on") this.set("connecting");
    });
  }

  take(event) {
    let activity;
    try {
      activity = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!activity.id || this.known.has(activity.id)) return;
    this.known.add(activity.id);
    this.fresh = Math.min(MOST, this.fresh + 1);
    this.changed();
  }

  /** Count what the question finds now: what came since the answer waits behind the pill. */
  async count() {
    const { query } = this;
    const answer = await ask("/api/v1/activities/histogram", { query });
    const fresh = answer.buckets.reduce((sum, bucket) => sum + bucket.count, 0) - this.total;
    if (query !== this.query || fresh <= this.fresh) return;
    this.fresh = fresh;
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
    this.set("off");
  }
}
