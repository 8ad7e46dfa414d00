// Export: streamed to a file on disk, its end checked, a plain download where that is not possible.

import { send } from "./api.js";
import { lacking } from "./states.js";
import { activities, texts } from "./texts.js";
import { plain, sentences } from "./words.js";

const X = texts.exporting;

/** Milliseconds that the browser has to copy a file from here to where it saves it. */
const KEPT = 60000;

/** Holds the lock of a name until what it returns is called or the tab is closed. */
const hold = (name) =>
  new Promise((held) => {
    navigator.locks.request(name, () => new Promise((release) => held(release)));
  });

/** Removes what closed tabs left: the lock of a file that is still needed is held. */
async function sweep(folder) {
  for await (const name of folder.keys()) {
    if (/^export.*\.part$/.test(name))
      await navigator.locks.request(name, { ifAvailable: true }, (lock) => lock && folder.removeEntry(name).catch(() => {}));
  }
}

/** A private file of this origin, for one export: the rows go to the disk, never all into memory. */
async function privateFile() {
  const folder = await navigator.storage?.getDirectory?.();
  if (!folder) return null;
  await sweep(folder);
  const name = `export-${crypto.randomUUID()}.part`;
  const release = await hold(name);
  const remove = () => folder.removeEntry(name).catch(() => {}).then(release);
  const handle = await folder.getFileHandle(name, { create: true });
  if (typeof handle.createWritable === "function") return { handle, remove };
  await remove();
  return null;
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
export async function run(app, href, { total = app.answer?.page.total ?? 0, counted = activities }) {
  const target = await privateFile().catch(() => null);
  app.closeMenu();
  if (!target) {
    Object.assign(document.createElement("a"), { href, download: "" }).click();
    return;
  }
  const stop = new AbortController();
  const job = { rows: 0, bytes: 0, total, counted, stop, state: "running" };
  app.jobs = [...app.jobs.filter((one) => one.state === "running"), job];
  app.render();
  let writable = null;
  try {
    const response = await send(href, { signal: stop.signal });
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? "";
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
    window.setTimeout(() => {
      URL.revokeObjectURL(url);
      target.remove();
    }, KEPT);
    Object.assign(job, { state: "done", rows: end.count, name });
    app.announce(X.done(counted(end.count)));
  } catch (error) {
    await writable?.abort().catch(() => {});
    target.remove();
    Object.assign(
      job,
      error.name === "AbortError" ? { state: "cancelled" } : { state: "failed", message: said(error) },
    );
    app.announce(job.state === "cancelled" ? X.cancelled : sentences(X.failed, job.message));
  }
  app.render();
}
