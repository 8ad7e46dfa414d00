// What agents do as it happens: entries as they come, each of which moves a chain.

import { ask } from "./api.js";
import { Live } from "./live.js";

const SETTLE = 800,
  LOOKED_AT = 100;

/** The chain that an entry belongs to, by the id that the API gives it. */
export function chainOf(activity) {
  const proposal = activity.activity?.proposal?.id;
  if (proposal) return proposal;
  const call = activity.gen_ai?.tool?.call?.id;
  return call ? `call:${call}` : "";
}

export class ChainLive extends Live {
  /** `heard` is called with each entry that came in, `missed` when some cannot be given any more. */
  constructor(changed, heard, missed) {
    super(changed);
    Object.assign(this, { heard, missed });
  }

  /** Start to follow what agents do; `asOf` is when the answer that is shown was read. */
  begin(asOf, organization) {
    this.stop();
    this.query = new URLSearchParams({ lens: "agent", ...(organization ? { organization } : {}) });
    this.known = new Set();
    this.asOf = asOf;
    this.set("connecting");
    this.settling = window.setTimeout(() => this.connect(), SETTLE);
  }

  take(event) {
    let activity;
    try {
      activity = JSON.parse(event.data);
    } catch {
      return;
    }
    this.hear(activity);
  }

  hear(activity) {
    if (!activity.id || this.known.has(activity.id)) return;
    this.known.add(activity.id);
    this.heard(activity);
  }

  async count() {
    const asked = this.query;
    const query = new URLSearchParams(asked);
    query.set("size", String(LOOKED_AT));
    const { activities } = await ask("/api/v1/activities", { query });
    if (asked !== this.query) return;
    const since = Date.parse(this.asOf);
    for (const one of [...activities].reverse()) if (Date.parse(one.event?.ingested) > since) this.hear(one);
  }
}
