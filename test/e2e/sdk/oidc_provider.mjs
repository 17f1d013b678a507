// SPDX-License-Identifier: Apache-2.0
// A real provider of OpenID Connect (the package oidc-provider) for oidc.py. Configured by one JSON line on stdin; prints one
// when it listens. POST /control with JSON changes it while it runs:
//   rotate    other keys, old ones no longer published
//   alg       the algorithm of ID tokens from now on
//   accounts  {login: claims}
//   id_token  whether ID tokens have the person's claims, or the userinfo endpoint alone
import { createServer as plain } from 'node:http';
import { createServer as secure } from 'node:https';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const settings = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
lines.on('close', () => process.exit(0)); // the test is over, however it ended
const scheme = settings.cert ? 'https' : 'http';
const issuer = `${scheme}://${settings.host}:${settings.port}`;
const state = { alg: 'RS256', id_token: false, accounts: {}, generation: 0, keys: [], seen: [] };

function rotate() {
  state.generation += 1;
  const made = [['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })], ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })]];
  state.keys = made.map(([name, pair]) => ({ ...pair.privateKey.export({ format: 'jwk' }), kid: `${name}-${state.generation}`, use: 'sig' }));
}

// A new one for each change; what it has handed out stays good, as that is kept beside it.
function make() {
  const provider = new Provider(issuer, {
    jwks: { keys: state.keys },
    clients: [{
      client_id: 'tollgate', redirect_uris: [settings.redirect_uri], grant_types: ['authorization_code'], response_types: ['code'],
      id_token_signed_response_alg: state.alg,
      ...(settings.secret ? { client_secret: settings.secret, token_endpoint_auth_method: settings.auth || 'client_secret_basic' }
        : { token_endpoint_auth_method: 'none' }),
    }],
    pkce: { required: () => true },
    conformIdTokenClaims: !state.id_token,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['a key for cookies of tests'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (ctx, id) => state.accounts[id] && ({ accountId: id, claims: () => ({ sub: id, ...state.accounts[id] }) }),
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

rotate();
let answer = make();
const handle = async (request, response) => {
  if (request.url !== '/control') {
    state.seen.push(`${request.method} ${request.url.split('?')[0]}`);
    answer(request, response);
    return;
  }
  let text = '';
  for await (const part of request) text += part;
  const { rotate: again, ...rest } = JSON.parse(text || '{}');
  Object.assign(state, rest);
  if (again) rotate();
  answer = make();
  response.end(JSON.stringify({ seen: state.seen.splice(0), kids: state.keys.map((k) => k.kid) }));
};
const server = settings.cert ? secure({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, handle) : plain(handle);
server.listen(settings.port, '127.0.0.1', () => console.log(JSON.stringify({ issuer })));
