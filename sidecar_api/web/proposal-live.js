// What agents do as it happens: entries as they come, each of which moves a chain.

import { Live } from "./live.js";

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

  counted(found) {
    for (const one of found.reverse()) this.hear(one);
  }
}
