// How a process went, moment by moment: what each of its entries changed, as the server's fold has it.

import { ENDS, merge } from "./process-stream.js";

export class Replay {
  /** @param frames `{at, delta}` in the order of their times, from nothing on. */
  constructor(process, frames) {
    let now = { ...process, controls: [], steps: [], requests: [], output: { lines: [], bytes: 0, total: 0 } };
    this.frames = frames.map(({ at, delta }) => ({ at: Date.parse(at), process: (now = merge(now, delta)) })).filter((one) => one.at);
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
