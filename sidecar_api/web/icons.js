// Icons: one vendored set (Lucide), and what stands for which verb, resource and source.

import { html } from "./vendor/lit-html/lit-html.js";
import { pick } from "./words.js";

export const icon = (name, extra = "") =>
  html`<svg class=${`icon ${extra}`}
    aria-hidden="true" focusable="false"><use href=${`/static/vendor/lucide/icons.svg#${name}`}></use></svg>`;

/** verb -> [icon, tone] */
const VERBS = {
  create: ["plus", "good"],
  update: ["pencil", "info"],
  delete: ["trash-2", "bad"],
  "start-stop": ["power", "calm"],
  deploy: ["rocket", "info"],
  access: ["eye", "calm"],
  authenticate: ["log-in", "calm"],
  permit: ["key-round", "warn"],
  propose: ["message-square-text", "agent"],
  decide: ["gavel", "agent"],
  execute: ["terminal", "agent"],
  control: ["hand", "calm"],
  run: ["workflow", "calm"],
  pay: ["credit-card", "calm"],
  notice: ["bell", "calm"],
};
export const verbLook = (verb) => pick(VERBS, verb) ?? ["activity", "calm"];

const RESOURCES = [
  [/^(server|virtual_machine|host)$/, "server"],
  [/^(pod|container)$/, "box"],
  [/^(cluster|node_pool)$/, "boxes"],
  [/^(project|folder|workspace)$/, "folder"],
  [/^(file|document)$/, "file"],
  [/^(database|wallet)$/, "database"],
  [/^(user|account|admin_user|initiator)$/, "user"],
  [/^(team|invitation|membership)$/, "users"],
  [/^organization$/, "building-2"],
  [/role|permission|policy|firewall|security|approval/, "shield"],
  [/^(site|domain)$/, "globe"],
  [/^(service|environment|dependency|storage)$/, "layers"],
  [/deploy|release/, "rocket"],
  [/volume|backup/, "hard-drive"],
  [/key|token/, "key-round"],
  [/certificate|ssl/, "lock"],
  [/invoice|payment|subscription|plan|budget|billing|finops|checkout|recommendation/, "receipt"],
  [/^package$/, "package"],
  [/network|provider|opensearch/, "network"],
  [/agent|proposal|tool_call|conversation|memory/, "bot"],
  [/cloud|transfer/, "cloud"],
  [/cron|job/, "calendar-clock"],
  [/variable/, "braces"],
  [/process|step|migration/, "workflow"],
  [/alert/, "bell"],
  [/mail/, "mail"],
  [/log|index|event/, "scroll-text"],
  [/collector|kubernetes|configuration/, "cog"],
];
export const resourceIcon = (type) =>
  RESOURCES.find(([pattern]) => pattern.test(type ?? ""))?.[1] ?? "puzzle";

const SOURCES = { ui: "monitor", api: "code", cli: "terminal", agent: "bot", system: "cog" };
export const sourceIcon = (source) => pick(SOURCES, source) ?? "circle-help";

const OUTCOMES = {
  success: ["circle-check", "good"],
  completed: ["circle-check", "good"],
  failure: ["circle-x", "bad"],
  failed: ["circle-x", "bad"],
  denied: ["ban", "warn"],
  expired: ["clock", "warn"],
  unknown: ["circle-help", "calm"],
};
export const outcomeLook = (outcome) => pick(OUTCOMES, outcome) ?? ["circle-help", "calm"];
const IMPACTS = {
  safe: ["circle-check", "calm"],
  caution: ["info", "calm"],
  destructive: ["triangle-alert", "warn"],
};
export const impactLook = (level) => pick(IMPACTS, level) ?? ["circle-help", "calm"];
