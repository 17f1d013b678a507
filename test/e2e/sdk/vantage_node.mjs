// SPDX-License-Identifier: Apache-2.0
// Calls of Vantage's own SDK for vantage.py: a JSON object a line in, one a line out.
//
//   {"id":1,"base":"http://…","token":"tg-…","throws":true,"call":"costReports.create","args":[…]}
//
// In args, {"$undefined":1} is undefined and {"$blob":"text"} a Blob. The value comes as JSON; "kind" tells undefined
// from null, "wire" what was exchanged. With "throws":false the client gives [value, error] instead.
import { createInterface } from 'node:readline';
import { APIV2Client, VantageAPIError } from '@vantage-sh/vantage-client';

const revive = (value) => {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  if ('$undefined' in value) return undefined;
  if ('$blob' in value) return new Blob([value.$blob], { type: 'text/csv' });
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, revive(v)]));
};

const told = (error) => ({
  name: error.constructor.name, ours: error instanceof VantageAPIError, message: error.message,
  status: error.status ?? null, errors: error.errors ?? null, body: error.body ?? null,
});

// What went over the wire in the call under way: [method, path, status, body].
let wire = [];
const plain = globalThis.fetch;
globalThis.fetch = async (url, options = {}) => {
  const answer = await plain(url, options);
  const { pathname, search } = new URL(url);
  wire.push([options.method ?? 'GET', pathname + search, answer.status, await answer.clone().text()]);
  return answer;
};

// All elements of a list, page after page as Vantage's MCP server goes on: by the number in the address of the next one.
const pages = async (client, path, params, member) => {
  const all = [];
  for (let page = 1; page; ) {
    const answer = await client.request(path, 'GET', { ...params, page });
    all.push(...answer[member]);
    page = answer.links?.next ? Number.parseInt(new URL(answer.links.next).searchParams.get('page'), 10) : 0;
  }
  return all;
};

const run = async (c) => {
  const client = new APIV2Client(c.token, c.throws === false, c.base);
  const path = c.call.split('.');
  const last = path.pop();
  let target = c.call === 'pages' ? { pages: (...args) => pages(client, ...args) } : client;
  for (const name of path) target = target[name];
  try {
    const value = await target[last](...revive(c.args ?? []));
    if (c.throws !== false) return { ok: true, kind: typeof value, value };
    return { ok: true, kind: 'pair', value: value[0], error: value[1] ? told(value[1]) : null };
  } catch (error) {
    return { ok: false, error: told(error) };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  wire = [];
  const answer = await run(call);
  console.log(JSON.stringify({ id: call.id, wire, ...answer }));
}
