// SPDX-License-Identifier: Apache-2.0
// Makes the calls that come as JSON lines on stdin with the real Node SDKs, many at a time, and says in a JSON line each
// what came of it: the value, the chunks of a stream, the error as the SDK raised it, and what went over the wire.
//
//   {"id":1,"sdk":"portkey"|"openai","options":{…},"keep":"name","call":"chat.completions.create","args":[…],
//    "stream":true,"take":2,"abort_ms":50,"repeat":4000,"parallel":16}
//
// keep: the client is kept under that name and used again. take: leave the stream after so many chunks. repeat: the same
// call so many times, only counted. In options and args, {"$headers":{…}} is createHeaders(…), {"$file":…} an upload,
// {"$path":…} a read stream, {"$abort":ms} an AbortSignal.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const wire = new AsyncLocalStorage();
const plain = globalThis.fetch;
const now = () => (performance.timeOrigin + performance.now()) / 1000;

// Every exchange of a call is noted, so that a retry of the SDK's own is seen.
globalThis.fetch = async (url, init) => {
  const entry = { url: String(url?.url ?? url), method: (init?.method ?? 'GET').toUpperCase() };
  entry.sent = Object.fromEntries(new Headers(init?.headers).entries());
  if (typeof init?.body === 'string') entry.body = init.body;
  wire.getStore()?.push(entry);
  const answer = await plain(url, init);
  entry.status = answer.status;
  entry.headers = Object.fromEntries(answer.headers.entries());
  return answer;
};

const { Portkey, createHeaders } = await import('portkey-ai');
const { default: OpenAI } = await import('openai');

const revive = (value) => {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  if (value.$headers) return createHeaders(revive(value.$headers));
  if (value.$file) return new File([Buffer.from(value.$file.base64, 'base64')], value.$file.name, { type: value.$file.type });
  if (value.$path) return createReadStream(value.$path);
  if (value.$abort) return AbortSignal.timeout(value.$abort);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, revive(v)]));
};

const kept = new Map();
const client = (c) => {
  if (c.keep && kept.has(c.keep)) return kept.get(c.keep);
  const made = c.sdk === 'openai' ? new OpenAI({ maxRetries: 2, ...revive(c.options) }) : new Portkey(revive(c.options));
  if (c.keep) kept.set(c.keep, made);
  return made;
};

const invoke = (target, call, args) => {
  const path = call.split('.');
  const last = path.pop();
  for (const name of path) target = target[name];
  return target[last](...args);
};

const plainValue = async (value) => {
  if (value instanceof Response) {
    const bytes = Buffer.from(await value.arrayBuffer());
    return { base64: bytes.toString('base64'), type: value.headers.get('content-type') };
  }
  if (value?.data && value?.getNextPage) return { data: value.data, body: value.body };
  return value === undefined ? null : value;
};

const told = (e) => ({
  name: e?.constructor?.name, message: e?.message, status: e?.status, code: e?.code, type: e?.type, param: e?.param,
  error: e?.error, cause: e?.cause?.code ?? e?.cause?.message,
});

const collect = async (value, c, result) => {
  result.chunks = [];
  result.times = [];
  try {
    for await (const chunk of value) {
      result.chunks.push(chunk);
      result.times.push(now());
      if (c.take && result.chunks.length >= c.take) break;
    }
  } catch (e) {
    result.ok = false;
    result.error = told(e);
  }
  return null;
};

const one = (c) =>
  wire.run([], async () => {
    const result = { id: c.id, ok: true, begun: now() };
    try {
      const args = revive(c.args ?? []);
      const value = await invoke(client(c), c.call, args);
      if (typeof value?.getHeaders === 'function') result.own_headers = value.getHeaders();
      result.value = c.stream ? await collect(value, c, result) : await plainValue(value);
    } catch (e) {
      result.ok = false;
      result.error = told(e);
    }
    result.ended = now();
    result.wire = wire.getStore();
    return result;
  });

// The same call many times: how often each target and status came.
const many = async (c) => {
  const counts = {};
  let left = c.repeat;
  const worker = async () => {
    while (left-- > 0) {
      const r = await one(c);
      const last = r.wire.at(-1);
      const key = `${last?.status ?? r.error?.name} ${last?.headers?.['x-portkey-last-used-option-index'] ?? '-'}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: c.parallel ?? 8 }, worker));
  return { id: c.id, ok: true, counts };
};

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line);
  (c.repeat ? many(c) : one(c)).then((r) => process.stdout.write(JSON.stringify(r) + '\n'));
}
