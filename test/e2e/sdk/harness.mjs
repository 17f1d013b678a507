// SPDX-License-Identifier: Apache-2.0
// Runs operations of the OpenAI SDK against BASE_URL and prints a JSON line for each:
//
//   {"op":…,"ok":true,"usage":…,"exchanges":[{method, path, status, request_id,
//    request_sha256, request_bytes, response_sha256, response_bytes}]}
//
// The hashes are of the bytes that the SDK sent and received, taken inside `fetch`, so that whoever
// knows what was served (the simulator) can compare. An operation fails when an assertion does.
import { createHash } from 'node:crypto';
import OpenAI from 'openai';

export const BASE_URL = process.env.BASE_URL;
export const API_KEY = process.env.API_KEY;
export const ADMIN_KEY = process.env.ADMIN_KEY;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

let exchanges = [];

// The SDK stops reading a stream at its end marker; the other branch is read to the very end.
function watched(response, exchange) {
  if (!response.body) {
    exchange.response_sha256 = sha256('');
    exchange.response_bytes = 0;
    return response;
  }
  const [ours, theirs] = response.body.tee();
  const hash = createHash('sha256');
  let size = 0;
  (async () => {
    for await (const chunk of ours) {
      hash.update(chunk);
      size += chunk.length;
    }
    exchange.response_sha256 = hash.digest('hex');
    exchange.response_bytes = size;
  })().catch(() => (exchange.aborted = true));
  return new Response(theirs, response);
}

export async function hashingFetch(url, init = {}) {
  if (String(url).startsWith('data:')) return fetch(url, init); // the SDK asks what this fetch can do
  const request = new Request(url, { method: init.method, headers: init.headers, body: init.body, duplex: 'half' });
  const body = init.body == null ? undefined : Buffer.from(await request.arrayBuffer());
  const exchange = {
    method: request.method,
    path: new URL(url).pathname,
    request_sha256: sha256(body ?? ''),
    request_bytes: body?.length ?? 0,
  };
  exchanges.push(exchange);
  const response = await fetch(url, {
    method: request.method,
    headers: request.headers,
    body,
    signal: init.signal,
    redirect: 'manual',
  });
  exchange.status = response.status;
  exchange.request_id = response.headers.get('x-request-id');
  return watched(response, exchange);
}

export function makeClient(options = {}) {
  return new OpenAI({
    apiKey: API_KEY,
    adminAPIKey: ADMIN_KEY,
    baseURL: BASE_URL,
    fetch: hashingFetch,
    maxRetries: 0,
    timeout: 60_000,
    webhookSecret: 'whsec_c2ltdWxhdG9y',
    ...options,
  });
}

export function assert(condition, what) {
  if (!condition) throw new Error(what ?? 'an assertion failed');
}

export function equal(got, want, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what ?? 'value'}: got ${a}, want ${b}`);
}

export async function rejects(promise, status, code) {
  try {
    await promise;
  } catch (e) {
    if (e.status !== status || (code !== undefined && e.code !== code))
      throw new Error(`failed with ${e.status} ${e.code}, want ${status} ${code}: ${e.message}`);
    return e;
  }
  throw new Error(`succeeded, want ${status} ${code}`);
}

export async function collect(iterable, max = 100_000) {
  const all = [];
  for await (const item of iterable) {
    all.push(item);
    if (all.length >= max) break;
  }
  return all;
}

// Totals that do not add up are never right, whoever reports them.
export function checkUsage(usage, input, output) {
  assert(usage, 'no usage');
  assert(Number.isInteger(usage[input]) && usage[input] > 0, `usage.${input}`);
  if (output) {
    assert(Number.isInteger(usage[output]) && usage[output] >= 0, `usage.${output}`);
    equal(usage.total_tokens, usage[input] + usage[output], 'total_tokens');
  }
  return usage;
}

const operations = [];

/** `run` gets the client; what it returns is printed as the usage. */
export function op(name, run) {
  operations.push({ name, run });
}

// A body that nobody read to the end has no hash; give it a moment first.
async function settled() {
  for (let i = 0; i < 100 && exchanges.some((e) => e.status && !e.response_sha256 && !e.aborted); i++)
    await new Promise((done) => setTimeout(done, 10));
}

export async function runAll(filter = '') {
  const client = makeClient();
  let failed = 0;
  for (const { name, run } of operations) {
    if (filter && !name.includes(filter)) continue;
    exchanges = [];
    const line = { op: name, ok: true, usage: null };
    try {
      line.usage = (await run(client)) ?? null;
    } catch (e) {
      line.ok = false;
      line.error = `${e.message}\n${e.stack?.split('\n').slice(1, 4).join('\n')}`;
      failed++;
    }
    await settled();
    line.exchanges = exchanges;
    console.log(JSON.stringify(line));
  }
  return failed;
}
