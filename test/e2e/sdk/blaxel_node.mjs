// SPDX-License-Identifier: Apache-2.0
// Makes the calls that come as JSON lines on stdin with Blaxel's Node SDKs and OpenAI's, one after the other, and says
// in a JSON line each what came of it: the value, the error, and what went over the wire.
//
//   {"id":1,"sdk":"core"|"legacy"|"llamaindex"|"openai","call":"listModels","args":[…]}
//
// Where the server is comes by the environment, as for any user of these packages. "initialize" and "setConfig" are
// calls like the others; "all" goes through the pages of listModels. llamaindex: args are a model API and a question.
// openai: args[0] are the client's options, then the arguments; "stream" in the last one is read to its end.
// clock: "advance" puts the time that the SDKs see forward by args[0] milliseconds.
import { createInterface } from 'node:readline';

let wire = [];
const plain = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  const headers = new Headers(init?.headers ?? (url instanceof Request ? url.headers : undefined));
  const entry = { url: String(url?.url ?? url), method: (init?.method ?? url?.method ?? 'GET').toUpperCase() };
  entry.sent = Object.fromEntries(headers.entries());
  wire.push(entry);
  const answer = await plain(url, init);
  entry.status = answer.status;
  entry.headers = Object.fromEntries(answer.headers.entries());
  return answer;
};

let ahead = 0;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length ? args : [RealDate.now() + ahead]));
  }
  static now() {
    return RealDate.now() + ahead;
  }
};

const packages = {};
const load = async (name) => (packages[name] ??= await import(
  { core: '@blaxel/core', legacy: '@blaxel/sdk', llamaindex: '@blaxel/llamaindex', openai: 'openai' }[name]));

const invoke = (target, call, args) => {
  const path = call.split('.');
  const last = path.pop();
  for (const name of path) target = target[name];
  return target[last](...args);
};

const openai = async (module, call, [options, ...args]) => {
  const client = new module.default({ maxRetries: 0, ...options });
  const value = await invoke(client, call, args);
  if (value instanceof Response) return { type: value.headers.get('content-type'), bytes: (await value.arrayBuffer()).byteLength };
  if (!args.at(-1)?.stream) return value;
  const chunks = [];
  for await (const chunk of value) chunks.push(chunk);
  return chunks;
};

const all = async (module, [query]) => {
  const pages = [];
  const { data, response } = await module.listModels({ query });
  let page = data;
  while (page) {
    pages.push({ names: page.data.map((m) => m.metadata.name), meta: page.meta });
    page = page.meta.nextCursor ? (await module.listModels({ query: { ...query, cursor: page.meta.nextCursor } })).data : null;
  }
  return { pages, status: response.status };
};

const make = async ({ sdk, call, args = [] }) => {
  if (sdk === 'clock') return (ahead += args[0]);
  const module = await load(sdk);
  if (sdk === 'openai') return openai(module, call, args);
  if (sdk === 'llamaindex') return (await (await module.blModel(args[0])).chat({ messages: [{ role: 'user', content: args[1] }] })).message.content;
  if (call === 'setConfig') return module.client.setConfig(...args);
  if (call === 'all') return all(module, args);
  const value = await invoke(module, call, args);
  if (value?.response instanceof Response) return { data: value.data, error: value.error, status: value.response.status };
  return value ?? null;
};

const shown = (error) => ({ name: error?.name, message: error?.message ?? String(error), status: error?.status, code: error?.code,
  body: error instanceof Error ? error.error : error });

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  wire = [];
  try {
    answer = { ok: true, value: await make(request) };
  } catch (error) {
    answer = { ok: false, error: shown(error) };
  }
  process.stdout.write(JSON.stringify({ id: request.id, ...answer, wire }) + '\n');
}
process.exit(0);
