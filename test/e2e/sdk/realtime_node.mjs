// SPDX-License-Identifier: Apache-2.0
// WebSockets against BASE_URL with API_KEY: realtime in text, speech, with functions and transcription;
// responses; live. Prints a JSON line for each in the form of harness.mjs, without exchanges.
import WebSocket from 'ws';
import { API_KEY, BASE_URL, assert, equal, op, runAll } from './harness.mjs';

class Socket {
  constructor(path, { protocols = [], headers = { Authorization: `Bearer ${API_KEY}` } } = {}) {
    this.ws = new WebSocket(BASE_URL.replace(/^http/, 'ws') + path, protocols, { headers });
    this.events = [];
    this.waiting = [];
    this.ended = new Promise((done) => this.ws.on('close', (code) => done(code)));
    this.ws.on('message', (data) => {
      this.events.push(JSON.parse(data));
      this.waiting.forEach((f) => f());
    });
    this.ws.on('error', (e) => (this.error = e));
  }

  async opened() {
    await new Promise((done, fail) => this.ws.on('open', done).on('error', fail));
    return this;
  }

  send(event) {
    this.ws.send(JSON.stringify(event));
  }

  /** The next event of this type; those before it stay in `events`. */
  async until(type) {
    for (let from = 0; ; ) {
      const i = this.events.findIndex((e, k) => k >= from && e.type === type);
      if (i >= 0) {
        this.seen = this.events.splice(0, i + 1);
        return this.seen.at(-1);
      }
      from = this.events.length;
      const more = new Promise((done) => (this.waiting = [done]));
      const closed = this.ended.then(() => Promise.reject(new Error(`closed before ${type}`)));
      await Promise.race([more, closed]);
    }
  }

  async close() {
    this.ws.close(1000);
    return this.ended;
  }
}

const say = (text) => ({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
const join = (events, type) => events.filter((e) => e.type === type).map((e) => e.delta).join('');

function checkTotals(u) {
  equal(u.total_tokens, u.input_tokens + u.output_tokens);
  const i = u.input_token_details;
  equal(u.input_tokens, i.text_tokens + i.audio_tokens + i.image_tokens);
  equal(u.output_tokens, u.output_token_details.text_tokens + u.output_token_details.audio_tokens);
  return u;
}

op('realtime text', async () => {
  const s = await new Socket('/realtime?model=gpt-realtime', { protocols: ['realtime'] }).opened();
  equal(s.ws.protocol, 'realtime');
  equal((await s.until('session.created')).session.model, 'gpt-realtime');
  s.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], instructions: 'Be brief.' } });
  equal((await s.until('session.updated')).session.instructions, 'Be brief.');
  const usages = [];
  for (const text of ['Who goes there?', 'And who else?']) {
    s.send(say(text));
    s.send({ type: 'response.create' });
    const done = await s.until('response.done');
    equal(done.response.output[0].content[0].text, join(s.seen, 'response.output_text.delta'));
    usages.push(checkTotals(done.response.usage));
  }
  assert(usages[1].input_tokens > usages[0].input_tokens, 'the conversation grows');
  equal(await s.close(), 1000);
  return { input_tokens: usages[0].input_tokens + usages[1].input_tokens, output_tokens: usages[0].output_tokens + usages[1].output_tokens };
});

op('realtime speech', async () => {
  const s = await new Socket('/realtime?model=gpt-realtime').opened();
  s.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { transcription: { model: 'gpt-4o-transcribe' } } } } });
  await s.until('session.updated');
  s.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(96_000).toString('base64') });
  s.send({ type: 'input_audio_buffer.commit' });
  const heard = await s.until('conversation.item.input_audio_transcription.completed');
  equal([heard.usage.type, heard.usage.input_token_details.audio_tokens], ['tokens', 21]);
  s.send({ type: 'response.create', response: {} });
  const done = await s.until('response.done');
  equal(done.response.output[0].content[0].transcript, join(s.seen, 'response.output_audio_transcript.delta'));
  assert(join(s.seen, 'response.output_audio.delta').length > 0);
  const usage = checkTotals(done.response.usage);
  assert(usage.input_token_details.audio_tokens === 21 && usage.output_token_details.audio_tokens > 0);
  await s.until('rate_limits.updated');
  await s.close();
  return usage;
});

op('realtime function', async () => {
  const s = await new Socket('/realtime?model=gpt-realtime').opened();
  const tools = [{ type: 'function', name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
  s.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], tools } });
  s.send(say('Weather?'));
  s.send({ type: 'response.create' });
  const done = await s.until('response.done');
  const call = done.response.output[0];
  equal([call.type, call.name], ['function_call', 'get_weather']);
  equal(join(s.seen, 'response.function_call_arguments.delta'), call.arguments);
  s.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: 'sunny' } });
  s.send({ type: 'response.create' });
  equal((await s.until('response.done')).response.output[0].type, 'message');
  await s.close();
});

op('realtime items and errors', async () => {
  const s = await new Socket('/realtime?model=gpt-realtime').opened();
  s.send({ ...say('hello'), event_id: 'mine' });
  const { item } = await s.until('conversation.item.added');
  s.send({ type: 'conversation.item.retrieve', item_id: item.id });
  equal((await s.until('conversation.item.retrieved')).item.id, item.id);
  s.send({ type: 'conversation.item.truncate', item_id: item.id, content_index: 0, audio_end_ms: 5 });
  equal((await s.until('conversation.item.truncated')).audio_end_ms, 5);
  s.send({ type: 'conversation.item.delete', item_id: item.id });
  await s.until('conversation.item.deleted');
  s.send({ type: 'nonsense', event_id: 'bad' });
  equal((await s.until('error')).error.event_id, 'bad');
  s.send({ type: 'input_audio_buffer.commit' });
  equal((await s.until('error')).error.code, 'input_audio_buffer_commit_empty');
  s.send({ type: 'response.cancel' });
  await s.until('error');
  s.send({ type: 'input_audio_buffer.clear' });
  await s.until('input_audio_buffer.cleared');
  await s.close();
});

op('realtime transcription session', async () => {
  const s = await new Socket('/realtime?intent=transcription').opened();
  equal((await s.until('session.created')).session.type, 'transcription');
  s.send({ type: 'session.update', session: { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1' } } } } });
  s.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(48_000).toString('base64') });
  s.send({ type: 'input_audio_buffer.commit' });
  equal((await s.until('conversation.item.input_audio_transcription.completed')).usage, { type: 'duration', seconds: 1 });
  await s.close();
});

op('realtime from a browser', async () => {
  const protocols = ['realtime', `openai-insecure-api-key.${API_KEY}`];
  const s = await new Socket('/realtime?model=gpt-realtime', { protocols, headers: {} }).opened();
  await s.until('session.created');
  await s.close();
});

op('realtime refused', async () => {
  const s = new Socket('/realtime?model=gpt-realtime', { headers: {} });
  await s.opened().then(() => assert(false, 'opened without a key'), (e) => assert(e.message.includes('401'), e.message));
});

op('realtime ping and large messages', async () => {
  const s = await new Socket('/realtime?model=gpt-realtime').opened();
  const pong = new Promise((done) => s.ws.on('pong', (d) => done(d.toString())));
  s.ws.ping('hello');
  equal(await pong, 'hello');
  s.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(3_000_000).toString('base64') });
  s.send({ type: 'input_audio_buffer.clear' });
  await s.until('input_audio_buffer.cleared');
  s.ws.send(Buffer.from('binary'), { binary: true });
  equal(await s.ended, 1003);
});

op('responses socket', async () => {
  const s = await new Socket('/responses').opened();
  s.send({ type: 'response.create', model: 'gpt-4o', input: 'one', stream_id: 'a' });
  const first = await s.until('response.completed');
  equal(s.seen.map((e) => e.sequence_number), s.seen.map((_, i) => i));
  assert(s.seen.every((e) => e.stream_id === 'a'));
  s.send({ type: 'response.create', model: 'gpt-4o' });
  equal((await s.until('error')).error.code, 'missing_required_parameter');
  s.send({ type: 'response.create', model: 'gpt-4o', input: 'two', previous_response_id: first.response.id });
  const second = await s.until('response.completed');
  await s.close();
  const sum = (k) => first.response.usage[k] + second.response.usage[k];
  return { input_tokens: sum('input_tokens'), output_tokens: sum('output_tokens') };
});

op('live', async () => {
  const s = await new Socket('/live/sessions?model=gpt-live-1').opened();
  s.send({ type: 'session.start', session: { model: 'gpt-live-1' } });
  await s.until('session.started');
  for (const seconds of [1, 2]) {
    s.send({ type: 'session.input_audio.append', audio: Buffer.alloc(48_000).toString('base64') });
    equal((await s.until('session.usage.updated')).usage.seconds, seconds);
  }
  s.send({ type: 'session.close' });
  equal((await s.until('session.closed')).usage.seconds, 2);
  equal(await s.ended, 1000);
});

process.exit((await runAll(process.argv[2])) ? 1 : 0);
