// A certified OpenID Connect provider on loopback, with one user for each role, whom any password lets in: for development and
// tests.
//
// node issuer.mjs PACKAGE [--exit-with-stdin]
// PACKAGE is the directory of oidc-provider. Prints one line of JSON when it listens: {"url": …, "client_id": …, "client_secret": …}

import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packageDirectory, ...options] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(join(packageDirectory, 'lib/index.js')));

const client = { client_id: 'tollgate', client_secret: 'for-development-only' };
const users = {
  viewer: { name: 'Vera Viewer', groups: ['viewers'] },
  operator: { name: 'Otto Operator', groups: ['operators'] },
  releaser: { name: 'Rita Releaser', groups: ['releasers'] },
  approver: { name: 'Anna Approver', groups: ['approvers'] },
  administrator: { name: 'Adam Administrator', groups: ['administrators'] },
  stranger: { name: 'Sam Stranger', groups: [] },
};

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

// The library warns on standard output of what only matters outside of development.
console.info = () => {};
console.warn = () => {};

const provider = new Provider(url, {
  clients: [
    {
      ...client,
      redirect_uris: ['http://127.0.0.1/api/auth/callback'],
      post_logout_redirect_uris: ['http://127.0.0.1/'],
    },
  ],
  claims: { openid: ['sub', 'groups'], profile: ['name'], email: ['email'] },
  // Groups belong into the ID token, where most issuers put them.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ['development'] },
  findAccount: (_context, id) =>
    users[id] && { accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, ...users[id] }) },
  // Nobody is asked whether the console may know their name.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});
// The console's port is not known when this starts; loopback is all that may be redirected to.
const isLoopback = (address) => new URL(address).hostname === '127.0.0.1';
provider.Client.prototype.redirectUriAllowed = isLoopback;
provider.Client.prototype.postLogoutRedirectUriAllowed = isLoopback;
server.on('request', provider.callback());

if (options.includes('--exit-with-stdin')) {
  process.stdin.resume();
  process.stdin.on('end', () => process.exit());
}
process.stdout.write(`${JSON.stringify({ url, ...client })}\n`);
