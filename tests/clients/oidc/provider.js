// Runs oidc-provider with its own sign-in pages, where any name may sign in.
//
// Usage: node provider.js '{"port": 0, "client": {...}, "jwks": {"keys": [...]}, "idTokenClaims": true}'
// Prints {"issuer": "..."} once it listens, and ends when its standard input does.

import {createServer} from "node:http";
import {Provider} from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(options.port, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [options.client],
    jwks: options.jwks,
    cookies: {keys: ["of this test alone"]},
    pkce: {required: () => true},
    claims: {openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"]},
    conformIdTokenClaims: !options.idTokenClaims,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.org`,
        email_verified: id !== "unverified",
        name: `${id} of the provider`,
        preferred_username: id,
      }),
    }),
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({issuer}));
});
process.stdin.resume().on("end", () => process.exit(0));
