// Times as people read them: relative in a row, exact with offset elsewhere.

import { texts } from "./texts.js";

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;
const UNITS = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };

const formats = new Map();
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    formats.set(
      key,
      new Intl.DateTimeFormat("en-GB", { ...options, ...(zone === "utc" ? { timeZone: "UTC" } : {}) }),
    );
  }
  return formats.get(key);
}

export function relative(iso, now = Date.now()) {
  const age = now - Date.parse(iso);
  if (Number.isNaN(age)) return String(iso);
  if (age < -MINUTE) return texts.ago.soon;
  if (age < MINUTE) return texts.ago.s(Math.max(0, Math.floor(age / SECOND)));
  if (age < HOUR) return texts.ago.min(Math.floor(age / MINUTE));
  if (age < DAY) return texts.ago.h(Math.floor(age / HOUR));
  return texts.ago.d(Math.floor(age / DAY));
}

function offset(date, zone) {
  if (zone === "utc") return "UTC";
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC+0";
  const whole = Math.floor(Math.abs(minutes) / 60),
    rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${whole}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** "24 Nov 2026, 14:02:31.418 UTC+1" */
export function exact(iso, zone) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const day = format(zone, { day: "numeric", month: "short", year: "numeric" }).format(date);
  const time = format(zone, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  }).format(date);
  return `${day}, ${time} ${offset(date, zone)}`;
}

/** As the options say; what is no time (a link may hold anything) as it is. */
function part(iso, zone, options) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? String(iso) : format(zone, options).format(date);
}

const SHORT = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const DAYS = { day: "numeric", month: "short" },
  CLOCK = { hour: "2-digit", minute: "2-digit" };
const year = (iso, zone) => part(iso, zone, { year: "numeric" });
const withYear = (options, far) => (far ? { ...options, year: "numeric" } : options);
const withSeconds = (options, near) => (near ? { ...options, second: "2-digit" } : options);
/** "24 Nov, 14:02", with the year where it is not this one, and seconds where `near` */
export const short = (iso, zone, near = false) =>
  part(iso, zone, withSeconds(withYear(SHORT, year(iso, zone) !== year(new Date(), zone)), near));
/** Both ends of a time, in the same form: where one needs its year, or both their seconds, both have them. */
export function ends(from, to, zone) {
  const far = [from, to].some((one) => year(one, zone) !== year(new Date(), zone)),
    near = Math.abs(Date.parse(to) - Date.parse(from)) < 10 * MINUTE;
  return [from, to].map((one) => part(one, zone, withSeconds(withYear(SHORT, far), near)));
}
/** "24 Nov", with the year where that before it, or today, has another */
export const day = (iso, zone, before = new Date()) => part(iso, zone, withYear(DAYS, year(iso, zone) !== year(before, zone)));
export const clock = (iso, zone, near = false) => part(iso, zone, withSeconds(CLOCK, near));

/** Length of a histogram's interval ("3h") in milliseconds; 0 when it is not understood. */
export function length(interval) {
  const match = /^(\d+)([smhdw])$/.exec(interval ?? "");
  return match ? Number(match[1]) * UNITS[match[2]] : 0;
}

export function duration(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Value of an <input type="datetime-local"> for a moment, in the chosen zone, and back. */
export function toInput(iso, zone) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return "";
  const shifted = zone === "utc" ? date : new Date(date.getTime() - date.getTimezoneOffset() * MINUTE);
  return shifted.toISOString().slice(0, 19).replace(/:00$/, "");
}

export function fromInput(value, zone) {
  if (!value) return "";
  const date = new Date(zone === "utc" ? `${value}Z` : value);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
