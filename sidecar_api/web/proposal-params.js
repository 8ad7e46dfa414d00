// Parameters as people read them, and what was approved beside what ran.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { icon } from "./icons.js";
import { long, plain, word } from "./words.js";
import { texts } from "./proposal-texts.js";

const D = texts.detail;
const DEEPEST = 12,
  MOST_ROWS = 200,
  MOST_RUNS = 3,
  ROOT = "arguments";
/** The name of a column that is compared with the one before it. */
const AFTER = "ran";
/** Text that would read as another kind of value, or whose ends one does not see. */
const AMBIGUOUS = /^$|^(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)$|^\s|\s$/;

const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** {a: {b: 1}, c: [2]} -> Map {"arguments.a.b": 1, "arguments.c[0]": 2}: paths as a judgement names them. */
function flatten(value, prefix = ROOT, into = new Map(), depth = 0) {
  const deep = depth >= DEEPEST;
  if (!deep && isPlain(value) && Object.keys(value).length) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, `${prefix}.${key}`, into, depth + 1);
  } else if (!deep && Array.isArray(value) && value.length) {
    value.forEach((inner, i) => flatten(inner, `${prefix}[${i}]`, into, depth + 1));
  } else if (depth || !isPlain(value)) into.set(prefix, value);
  return into;
}

const TITLES = { tool: D.tool, "target.type": D.targetType, "target.id": D.targetId, [ROOT]: D.parameters };
/** What a path is called beside its values. */
const titleOf = (path) => (Object.hasOwn(TITLES, path) ? TITLES[path] : word(path.replace(/^arguments\.?/, "")));

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function shown(value) {
  if (value === undefined) return html`<span class="none">${D.notSet}</span>`;
  const text = typeof value === "string" && !AMBIGUOUS.test(value) ? value : JSON.stringify(value);
  return long(text, { code: true, limit: 400 });
}

/** What holds as approved: the last yes, with its own parameters where it changed them. */
export function approvedArguments(proposal) {
  const yes = (proposal.decisions ?? []).filter((one) => ["approved", "edited", "auto_approved"].includes(one.outcome)).at(-1);
  if (!yes) return undefined;
  return yes.arguments ?? proposal.proposed?.arguments ?? undefined;
}

/** The columns: [{name, label, rows: Map}], what came later to the right. */
function columnsOf(proposal) {
  const proposed = proposal.proposed?.arguments;
  const approved = approvedArguments(proposal);
  const columns = [];
  if (proposed && (approved === undefined || !same(proposed, approved)))
    columns.push({ name: "proposed", label: D.proposed, rows: flatten(proposed) });
  if (approved !== undefined) columns.push({ name: "approved", label: D.approved, rows: flatten(approved) });
  const runs = (proposal.executions ?? []).filter((run) => run.arguments !== undefined && run.arguments !== null);
  const alike = runs.every((run) => same(run.arguments, runs[0].arguments));
  (alike ? runs.slice(0, 1) : runs.slice(0, MOST_RUNS)).forEach((run, i) =>
    columns.push({ name: AFTER, label: alike ? D.ran : D.runs(i + 1), rows: flatten(run.arguments) }),
  );
  return columns;
}

/** path -> difference, as the judgement has it. */
function judged(proposal) {
  const found = new Map();
  for (const finding of proposal.judgement?.findings ?? [])
    for (const one of finding.difference ?? []) found.set(String(one.path), one);
  return found;
}

function kindOf(before, after) {
  if (same(before, after)) return "";
  return before === undefined ? "added" : after === undefined ? "removed" : "changed";
}

/** The rows that differ: [path, kind]. */
function differences(proposal) {
  const columns = columnsOf(proposal);
  const before = columns.filter((one) => one.name !== AFTER).at(-1);
  const found = new Map([...judged(proposal)].map(([path, one]) => [path, one.kind ?? "changed"]));
  if (before)
    for (const { rows } of columns.filter((one) => one.name === AFTER))
      for (const path of new Set([...before.rows.keys(), ...rows.keys()])) {
        const kind = kindOf(before.rows.get(path), rows.get(path));
        if (kind && !found.has(path)) found.set(path, kind);
      }
  return [...found];
}

function mark(kind) {
  if (!kind) return html`<span class="unseen">${D.same}</span>`;
  const sign = { added: "plus", removed: "x", secret: "key-round" }[kind] ?? "equal-not";
  return html`<span class="mark">${icon(sign)}${D.marks[kind] ?? word(kind)}</span>`;
}

function table(columns, marks, told, caption) {
  const paths = [...new Set([...columns.flatMap((one) => [...one.rows.keys()]), ...marks.keys()])];
  // What differs is read first, also among two hundred others.
  paths.sort((a, b) => marks.has(b) - marks.has(a));
  const several = columns.length > 1;
  const before = columns.filter((one) => one.name !== AFTER).at(-1);
  const cell = (column, path, kind) => {
    let value = column.rows.get(path);
    if (value === undefined && told.has(path)) value = column.name === AFTER ? told.get(path).ran : told.get(path).approved;
    if (value === null && told.has(path) && !column.rows.has(path)) value = undefined;
    const side = !kind ? "" : column.name === AFTER ? "new" : column === before ? "old" : "";
    return html`<td class=${value === undefined ? `unset ${side}` : side} data-label=${column.label}>${
      kind === "secret" && value === undefined ? html`<span class="none">${D.secret}</span>` : shown(value)
    }</td>`;
  };
  return html`<table class=${`diff params columns-${columns.length}`}><caption class="unseen">${caption}</caption>
    <thead><tr><th scope="col">${D.field}</th>${columns.map((one) => html`<th scope="col">${one.label}</th>`)}${several ? html`<th scope="col" class="marks">${D.mark}</th>` : nothing}</tr></thead>
    <tbody>${paths.slice(0, MOST_ROWS).map((path) => {
      const kind = marks.get(path) ?? "";
      return html`<tr class=${kind ? "differs" : ""}><th scope="row">${titleOf(path)}</th>${columns.map((one) => cell(one, path, kind))}${several ? html`<td class="marks">${mark(kind)}</td>` : nothing}</tr>`;
    })}</tbody></table>${paths.length > MOST_ROWS ? html`<p class="quiet">${D.moreRows(paths.length - MOST_ROWS)}</p>` : nothing}`;
}

function digests(proposal) {
  const yes = (proposal.decisions ?? []).filter((one) => one.digest).at(-1)?.digest ?? proposal.proposed?.digest;
  // Digests by another key cannot be compared: before the last colon stands which key it was.
  const keyOf = (digest) => digest.slice(0, digest.lastIndexOf(":"));
  const ran = (proposal.executions ?? []).filter((one) => one.digest && yes && keyOf(one.digest) === keyOf(yes));
  if (!ran.length) return nothing;
  const differs = ran.find((one) => one.digest !== yes);
  const tip = plain(`${yes} · ${(differs ?? ran[0]).digest}`, 300);
  return html`<p class=${`digest ${differs ? "bad" : "good"}`} data-tip=${tip}>${icon(differs ? "equal-not" : "check")}<span>${differs ? D.digestDiffers : D.digestSame}</span></p>`;
}

/** What was approved beside what ran, the difference marked by a word and a sign. */
export function compare(proposal) {
  const columns = columnsOf(proposal);
  const told = judged(proposal);
  const marks = new Map(columns.some((one) => one.name === AFTER) ? differences(proposal) : []);
  const title =
    columns.length > 1
      ? D.compare
      : { proposed: D.proposedOnly, [AFTER]: D.ranOnly }[columns[0]?.name ?? "proposed"] ?? D.approvedOnly;
  const empty = !columns.some((one) => one.rows.size) && !marks.size;
  return html`<section class="compare"><h4>${title}</h4>${
    empty ? html`<p class="quiet">${D.noParameters}</p>` : table(columns, marks, told, title)
  }${digests(proposal)}</section>`;
}

/** What somebody changes in parameters before saying yes: how many, and which, in a table. */
export function changed(proposed, edited) {
  const [before, after] = [flatten(proposed), flatten(edited)];
  const marks = new Map();
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const kind = kindOf(before.get(path), after.get(path));
    if (kind) marks.set(path, kind);
  }
  const only = (rows) => new Map([...rows].filter(([path]) => marks.has(path)));
  const columns = [
    { name: "proposed", label: D.proposed, rows: only(before) },
    { name: AFTER, label: texts.decide.edit.changed, rows: only(after) },
  ];
  return { count: marks.size, table: table(columns, marks, new Map(), texts.decide.edit.difference) };
}

/** The parameters that somebody is about to decide on. */
export function parameters(proposal) {
  const rows = flatten(proposal.proposed?.arguments ?? {});
  if (!rows.size) return html`<p class="quiet">${texts.decide.noParams}</p>`;
  return table([{ name: "proposed", label: D.proposed, rows }], new Map(), new Map(), texts.decide.params);
}
