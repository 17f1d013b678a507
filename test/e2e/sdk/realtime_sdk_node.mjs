// SPDX-License-Identifier: Apache-2.0
// The Node SDK's own sockets, which want TLS: BASE_URL is https, NODE_EXTRA_CA_CERTS trusts its certificate.
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { assert, equal, makeClient, op, runAll } from './harness.mjs';

const event = (socket, type) =>
  new Promise((done, fail) => {
    socket.on(type, done);
    socket.on('error', fail);
  });

op('OpenAIRealtimeWS', async (c) => {
  const rt = new OpenAIRealtimeWS({ model: 'gpt-realtime' }, c);
  await event(rt, 'session.created');
  rt.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } });
  await event(rt, 'session.updated');
  let text = '';
  rt.on('response.output_text.delta', (e) => (text += e.delta));
  rt.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] } });
  rt.send({ type: 'response.create' });
  const done = await event(rt, 'response.done');
  equal(done.response.output[0].content[0].text, text);
  rt.close();
  return done.response.usage;
});

op('ResponsesWS', async (c) => {
  const ws = new ResponsesWS(c);
  ws.send({ type: 'response.create', model: 'gpt-4o', input: 'hello' });
  const done = await event(ws, 'response.completed');
  assert(done.response.output[0].content[0].text.length > 0);
  ws.close();
  return done.response.usage;
});

process.exit((await runAll(process.argv[2])) ? 1 : 0);
