// Asking the API: one way to fetch, one kind of error.

import { texts } from "./texts.js";

let csrf = "";
export const setCsrf = (token) => {
  csrf = token ?? "";
};

/** A problem document (RFC 9457) or a broken connection (status 0). */
export class Problem extends Error {
  constructor(status, document = {}, retryAfter = null) {
    super(document.detail ?? document.title ?? texts.errors.bare(status));
    this.status = status;
    this.document = document;
    this.retryAfter = retryAfter;
  }
}

async function problemOf(response) {
  let document = {};
  try {
    document = await response.json();
  } catch {
    // A proxy's page, not ours: the status has to do.
  }
  return new Problem(response.status, document ?? {}, Number(response.headers.get("Retry-After")) || null);
}

export async function ask(path, { query, signal, method = "GET", body, headers: more } = {}) {
  const text = query?.toString();
  const headers = { Accept: "application/json", ...more };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await send(text ? `${path}?${text}` : path, {
    method,
    headers,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json();
}

/** One request; the caller reads the body of the answer. Throws a Problem. */
export async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: texts.errors.offline, detail: texts.errors.offlineHint });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}
