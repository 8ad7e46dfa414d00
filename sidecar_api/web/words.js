// Text from outside, shown for what it is: hidden characters made visible, long values clipped.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";

const NAMES = {
  0x00ad: "soft hyphen",
  0x061c: "Arabic letter mark",
  0x180e: "Mongolian vowel separator",
  0x200b: "zero-width space",
  0x200c: "zero-width non-joiner",
  0x200d: "zero-width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x2028: "line separator",
  0x2029: "paragraph separator",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "pop directional isolate",
  0xfeff: "zero-width no-break space",
};
// Everything that has no picture of its own, apart from line breaks and tabs. A joiner between
// two pictographs belongs to an emoji and stays.
const HIDDEN =
  /(?<!\p{Extended_Pictographic}\ufe0f?)\u200d|\u200d(?!\p{Extended_Pictographic})|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;
const ANY_HIDDEN = new RegExp(HIDDEN.source, "u");
const LATIN = /\p{Script=Latin}/u,
  LOOK_ALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}]/u;

const codeOf = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function mark(character) {
  const code = codeOf(character);
  const name = NAMES[character.codePointAt(0)] ?? "hidden character";
  const tip = texts.hidden.tip(code, name);
  return html`<span class="hidden-character" data-tip=${tip}>${code}</span>`;
}

/** A word that mixes Latin with look-alike alphabets. */
const isMixed = (text) =>
  LOOK_ALIKE.test(text) && text.split(/[^\p{L}]+/u).some((word) => LATIN.test(word) && LOOK_ALIKE.test(word));

function pieces(text) {
  if (!ANY_HIDDEN.test(text)) return text;
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    parts.push(text.slice(from, match.index), mark(match[0]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

/** One line of text from outside; its direction cannot reach its neighbours. */
export function word(value, { limit = 300 } = {}) {
  if (value === null || value === undefined || value === "") return nothing;
  const text = String(value);
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return isMixed(shown)
    ? html`<bdi class="mixed" data-tip=${texts.hidden.mixed}>${pieces(shown)}</bdi>`
    : html`<bdi>${pieces(shown)}</bdi>`;
}

/** A value of any length: its beginning, the rest on demand. */
export function long(value, { limit = 400, code = false } = {}) {
  if (value === null || value === undefined) return nothing;
  const text = String(value);
  const kind = code ? "value code" : "value";
  if (text.length <= limit) return html`<span class=${kind}><bdi>${pieces(text)}</bdi></span>`;
  return html`<details class=${`${kind} long`}><summary><bdi class="start">${pieces(text.slice(0, limit))}…</bdi> <span
    class="more">${texts.details.all(text.length)}</span><span class="less">${texts.details.less}</span></summary><bdi>${pieces(text)}</bdi></details>`;
}

/** The same as plain text, for names that a screen reader speaks. */
export function plain(value, limit = 120) {
  const text = String(value ?? "").replace(HIDDEN, (character) => `[${codeOf(character)}]`);
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** What was said in pieces, each as a sentence of its own. */
export const sentences = (...said) =>
  said
    .filter(Boolean)
    .map((one) => (/[.!?…]$/.test(one) ? one : `${one}.`))
    .join(" ");

/** JSON in which hidden characters stand as escapes: the same value, nothing concealed. */
export function json(value) {
  const escape = (character) =>
    [...Array(character.length)]
      .map((_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join("");
  return JSON.stringify(value, null, 2).replace(HIDDEN, escape);
}

/** A member of a table by a name from outside: "constructor" is none. */
export const pick = (table, name) => (Object.hasOwn(table, name ?? "") ? table[name] : undefined);

/** http and https alone: anything else from a log is no link. */
export function safeUrl(url) {
  try {
    const parsed = new URL(url, window.location.origin);
    return parsed.protocol === "http:" || parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}
