// Sends events through @fluent-org/logger and waits for their acknowledgements.
//
// Usage: node send.js '{"mode": "PackedForward", "count": 10, "socket": {...}, "security": {...}}'
// The options are the package's own; exit code 0 means that every event was acknowledged.

const {FluentClient, EventTime} = require("@fluent-org/logger");

const options = JSON.parse(process.argv[2]);
const client = new FluentClient("node", {
  eventMode: options.mode,
  flushInterval: options.flushInterval ?? 20,
  ack: {ackTimeout: 5000},
  socket: {disableReconnect: true, ...options.socket},
  security: options.security,
});

async function main() {
  await client.connect();
  const sent = [];
  for (let n = 0; n < options.count; n++) {
    const time = options.nanoseconds ? new EventTime(1700000000, n) : new Date(1700000000000);
    sent.push(client.emit("event", {n, text: "π"}, time));
  }
  await Promise.all(sent);
  await client.disconnect();
}

process.exitCode = 1; // for when nothing is left to wait for, and nothing was acknowledged
main().then(
  () => process.exit(0),
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
