// Export: streamed to a file on disk, its end checked, a plain download where that is not possible.

import { send } from "./api.js";
import { lacking } from "./states.js";
import { activities, texts } from "./texts.js";
import { plain, sentences } from "./words.js";

const X = texts.exporting;

/** A private file of this origin: the rows go to the disk, never all into memory. */
async function privateFile(name) {
  const folder = await navigator.storage?.getDirectory?.();
  if (!folder) return null;
  const handle = await folder.getFileHandle(name, { create: true });
  return typeof handle.createWritable === "function" ? { handle, folder } : null;
}

const lastLine = (tail) => new TextEncoder().encode(tail.slice(tail.trimEnd().lastIndexOf("\n") + 1)).length;

function count(bytes) {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
}

/** The manifest that ends a whole file, or null for one that was cut off. */
function manifest(tail) {
  const line = tail.trimEnd().split("\n").pop() ?? "";
  const cell = /^"#manifest","(.*)",*$/.exec(line.trimEnd());
  try {
    const found = JSON.parse(cell ? cell[1].replaceAll('""', '"') : line);
    const said = found.manifest ?? found;
    return typeof said.count === "number" && said.complete ? said : null;
  } catch {
    return null;
  }
}

/** Why it did not work, and what to do about it. */
const said = ({ message, document }) => sentences(plain((document && lacking(document)) ?? message, 400), plain(document?.hint ?? "", 400));

/** Fetch a file and save it once its manifest says that it is whole; `counted` names n of what it has. */
export async function run(app, href, { ending, stem = "activities", total = app.answer?.page.total ?? 0, counted = activities }) {
  const name = `${stem}-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${ending}`;
  const target = await privateFile("export.part").catch(() => null);
  app.closeMenu();
  if (!target) {
    const link = Object.assign(document.createElement("a"), { href, download: name });
    link.click();
    return;
  }
  const stop = new AbortController();
  const job = { rows: 0, bytes: 0, total, counted, stop, state: "running" };
  app.job = job;
  app.render();
  let writable = null;
  try {
    const response = await send(href, { signal: stop.signal });
    writable = await target.handle.createWritable();
    const reader = response.body.getReader();
    let tail = "";
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      await writable.write(value);
      job.bytes += value.length;
      job.rows = Math.min(total, job.rows + count(value));
      tail = (tail + decoder.decode(value, { stream: true })).slice(-65536);
      app.render();
    }
    await writable.close();
    writable = null;
    const end = manifest(tail);
    if (!end || end.bytes !== job.bytes - lastLine(tail)) throw new Error(X.cut);
    const file = await target.handle.getFile();
    const url = URL.createObjectURL(file);
    const link = Object.assign(document.createElement("a"), { href: url, download: name });
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(url), 60000);
    Object.assign(job, { state: "done", rows: end.count, name });
    app.announce(X.done(counted(end.count)));
  } catch (error) {
    await writable?.abort().catch(() => {});
    Object.assign(
      job,
      error.name === "AbortError" ? { state: "cancelled" } : { state: "failed", message: said(error) },
    );
    app.announce(job.state === "cancelled" ? X.cancelled : X.failed);
  }
  app.render();
}
