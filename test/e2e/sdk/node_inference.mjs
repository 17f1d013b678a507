// SPDX-License-Identifier: Apache-2.0
// Operations that cost tokens, seconds or images.
import { toFile } from 'openai';
import { assert, checkUsage, collect, equal, makeClient, op, rejects } from './harness.mjs';

const CHAT = 'gpt-4o';
const THINKER = 'gpt-5.4-mini';
const messages = [
  { role: 'system', content: 'You are a tollgate. Ünïcödé "quotes" and \\ are fine: \u{1F6A7}' },
  { role: 'user', content: 'What does it cost to pass?' },
];
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a place.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

// Chat completions.

op('chat.completions.create', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages });
  equal(r.object, 'chat.completion');
  equal(r.choices[0].message.role, 'assistant');
  assert(r.choices[0].message.content.length > 0 && r.model.startsWith(CHAT));
  equal(r.service_tier, 'default');
  assert(r._request_id, 'no request id');
  return checkUsage(r.usage, 'prompt_tokens', 'completion_tokens');
});

async function streamed(c, extra) {
  const stream = await c.chat.completions.create({ model: CHAT, messages, stream: true, ...extra });
  const chunks = await collect(stream);
  const text = chunks.map((k) => k.choices[0]?.delta?.content ?? '').join('');
  assert(new Set(chunks.map((k) => k.id)).size === 1, 'the id changes within the stream');
  return { chunks, text };
}

op('chat.completions.create stream', async (c) => {
  const { chunks, text } = await streamed(c);
  assert(text.length > 0 && chunks.at(-1).choices[0].finish_reason === 'stop');
  assert(chunks.every((k) => !k.usage), 'usage that nobody asked for');
});

op('chat.completions.create stream with usage', async (c) => {
  const { chunks } = await streamed(c, { stream_options: { include_usage: true } });
  const last = chunks.at(-1);
  equal(last.choices, [], 'the choices of the usage chunk');
  assert(chunks.slice(0, -1).every((k) => k.usage === null), 'usage is null before the last chunk');
  return checkUsage(last.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create stream equals whole', async (c) => {
  const whole = await c.chat.completions.create({ model: CHAT, messages, n: 3, seed: 7 });
  equal(whole.choices.length, 3);
  const { chunks } = await streamed(c, { n: 3, stream_options: { include_usage: true } });
  for (const i of [0, 1, 2])
    assert(chunks.some((k) => k.choices[0]?.index === i && k.choices[0].finish_reason === 'stop'));
  return checkUsage(whole.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create reasoning', async (c) => {
  const r = await c.chat.completions.create({ model: THINKER, messages, reasoning_effort: 'high', service_tier: 'flex' });
  assert(r.usage.completion_tokens_details.reasoning_tokens > 0);
  equal(r.service_tier, 'flex');
  return checkUsage(r.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create max tokens', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages, max_completion_tokens: 5 });
  equal(r.choices[0].finish_reason, 'length');
  equal(r.usage.completion_tokens, 5);
  return r.usage;
});

op('chat.completions.create tools', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages, tools: [weather] });
  const call = r.choices[0].message.tool_calls[0];
  equal(r.choices[0].finish_reason, 'tool_calls');
  equal(call.function.name, 'get_weather');
  assert('city' in JSON.parse(call.function.arguments));
  const after = [...messages, r.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'sunny' }];
  const next = await c.chat.completions.create({ model: CHAT, messages: after, tools: [weather] });
  equal(next.choices[0].finish_reason, 'stop');
  return checkUsage(next.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create tools stream', async (c) => {
  const { chunks } = await streamed(c, { tools: [weather], stream_options: { include_usage: true } });
  const pieces = chunks.flatMap((k) => k.choices[0]?.delta?.tool_calls ?? []);
  equal(pieces[0].function.name, 'get_weather');
  assert('city' in JSON.parse(pieces.map((p) => p.function.arguments).join('')));
  return checkUsage(chunks.at(-1).usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create functions', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages, functions: [weather.function] });
  equal(r.choices[0].finish_reason, 'function_call');
  equal(r.choices[0].message.function_call.name, 'get_weather');
  return r.usage;
});

op('chat.completions.parse', async (c) => {
  const schema = { type: 'object', properties: { n: { type: 'integer' }, kind: { enum: ['a', 'b'] } }, required: ['n', 'kind'], additionalProperties: false };
  const r = await c.chat.completions.parse({
    model: CHAT,
    messages,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
  });
  const parsed = JSON.parse(r.choices[0].message.content);
  assert(Number.isInteger(parsed.n) && parsed.kind === 'a');
  return checkUsage(r.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create json_object', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages, response_format: { type: 'json_object' } });
  assert(typeof JSON.parse(r.choices[0].message.content) === 'object');
  return r.usage;
});

op('chat.completions.create logprobs', async (c) => {
  const r = await c.chat.completions.create({ model: CHAT, messages, logprobs: true, top_logprobs: 2 });
  const tokens = r.choices[0].logprobs.content;
  equal(tokens.map((t) => t.token).join(''), r.choices[0].message.content);
  equal(tokens.length, r.usage.completion_tokens);
  equal(tokens[0].top_logprobs.length, 2);
  return r.usage;
});

op('chat.completions.create audio', async (c) => {
  const r = await c.chat.completions.create({
    model: 'gpt-audio',
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'pcm16' },
    messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA'.repeat(4000), format: 'wav' } }] }],
  });
  assert(r.choices[0].message.audio.data.length > 0 && r.choices[0].message.audio.transcript.length > 0);
  assert(r.usage.prompt_tokens_details.audio_tokens > 0 && r.usage.completion_tokens_details.audio_tokens > 0);
  return checkUsage(r.usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create audio stream', async (c) => {
  const { chunks } = await streamed(c, {
    model: 'gpt-audio',
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'pcm16' },
    stream_options: { include_usage: true },
  });
  assert(chunks.some((k) => k.choices[0]?.delta?.audio?.data));
  return checkUsage(chunks.at(-1).usage, 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.create cached prompt', async (c) => {
  const long = [{ role: 'system', content: `${'All roads lead to the gate. '.repeat(400)}${Math.random()}` }, messages[1]];
  const first = await c.chat.completions.create({ model: CHAT, messages: long });
  equal(first.usage.prompt_tokens_details.cached_tokens, 0);
  const second = await c.chat.completions.create({ model: CHAT, messages: [long[0], { role: 'user', content: 'And back?' }] });
  const cached = second.usage.prompt_tokens_details.cached_tokens;
  assert(cached >= 1024 && cached % 128 === 0, `cached ${cached}`);
  return second.usage;
});

op('chat.completions.stream', async (c) => {
  const runner = c.chat.completions.stream({ model: CHAT, messages, stream_options: { include_usage: true } });
  let deltas = '';
  runner.on('content', (d) => (deltas += d));
  const final = await runner.finalChatCompletion();
  equal(final.choices[0].message.content, deltas);
  return checkUsage(await runner.totalUsage(), 'prompt_tokens', 'completion_tokens');
});

op('chat.completions.runTools', async (c) => {
  let asked;
  const runner = c.chat.completions.runTools({
    model: CHAT,
    messages,
    tools: [{ type: 'function', function: { ...weather.function, parse: JSON.parse, function: (a) => ((asked = a), 'sunny') } }],
  });
  assert((await runner.finalContent()).length > 0 && 'city' in asked);
});

op('chat.completions abort', async (c) => {
  const stream = await c.chat.completions.create(
    { model: CHAT, messages, stream: true },
    { headers: { 'x-sim-events': '500', 'x-sim-chunk-ms': '5' } },
  );
  let n = 0;
  for await (const _ of stream) if (++n === 5) break;
  equal(n, 5);
});

op('chat.completions errors', async (c) => {
  const e = await rejects(c.chat.completions.create({ model: CHAT }), 400, 'missing_required_parameter');
  equal(e.param, 'messages');
  equal(e.type, 'invalid_request_error');
  await rejects(c.chat.completions.create({ model: CHAT, messages, temperature: 3 }), 400, 'decimal_above_max_value');
  await rejects(c.chat.completions.create({ model: 'no-such-model', messages }), 404, 'model_not_found');
  await rejects(c.chat.completions.create({ model: THINKER, messages, max_tokens: 4 }), 400, 'unsupported_parameter');
});

op('chat.completions stored', async (c) => {
  const made = await c.chat.completions.create({ model: CHAT, messages, store: true, metadata: { run: 'a' } });
  const got = await c.chat.completions.retrieve(made.id);
  equal(got.choices[0].message.content, made.choices[0].message.content);
  equal((await c.chat.completions.update(made.id, { metadata: { run: 'b' } })).metadata, { run: 'b' });
  assert((await collect(c.chat.completions.list())).some((x) => x.id === made.id));
  equal((await collect(c.chat.completions.list({ metadata: { run: 'b' } }))).map((x) => x.id), [made.id]);
  equal(await collect(c.chat.completions.list({ metadata: { run: 'c' } })), []);
  const kept = await collect(c.chat.completions.messages.list(made.id));
  equal(kept.map((m) => m.content), messages.map((m) => m.content));
  equal((await c.chat.completions.delete(made.id)).deleted, true);
  await rejects(c.chat.completions.retrieve(made.id), 404);
  return made.usage;
});

// Completions, embeddings, moderations.

op('completions.create', async (c) => {
  const r = await c.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: ['one', 'two'], n: 2, max_tokens: 8, logprobs: 1 });
  equal(r.choices.length, 4);
  assert(r.choices.every((k, i) => k.index === i && k.text.length > 0 && k.logprobs.tokens.length > 0));
  return checkUsage(r.usage, 'prompt_tokens', 'completion_tokens');
});

op('completions.create stream', async (c) => {
  const chunks = await collect(
    await c.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: 'one', echo: true, stream: true, stream_options: { include_usage: true } }),
  );
  assert(chunks.map((k) => k.choices[0]?.text ?? '').join('').startsWith('one'));
  return checkUsage(chunks.at(-1).usage, 'prompt_tokens', 'completion_tokens');
});

op('embeddings.create', async (c) => {
  const r = await c.embeddings.create({ model: 'text-embedding-3-small', input: ['to pass', 'to pass', 'to stay'] });
  const [a, b, d] = r.data.map((x) => x.embedding);
  const dot = (x, y) => x.reduce((s, v, i) => s + v * y[i], 0);
  equal(a.length, 1536);
  assert(Math.abs(dot(a, a) - 1) < 1e-4 && Math.abs(dot(a, b) - 1) < 1e-4 && Math.abs(dot(a, d)) < 0.2);
  return checkUsage({ ...r.usage }, 'prompt_tokens');
});

op('embeddings.create float', async (c) => {
  const [f, b] = await Promise.all(
    ['float', undefined].map((encoding_format) =>
      c.embeddings.create({ model: 'text-embedding-3-large', input: [[1, 2, 3]], dimensions: 256, encoding_format }),
    ),
  );
  equal(f.data[0].embedding.length, 256);
  assert(f.data[0].embedding.every((v, i) => Math.abs(v - b.data[0].embedding[i]) < 1e-6), 'base64 and float differ');
  return f.usage;
});

op('moderations.create', async (c) => {
  const r = await c.moderations.create({ input: ['a flower', 'an attack'] });
  equal(r.results.map((x) => x.flagged), [false, true]);
});

// Responses.

const eventTypes = (events) => [...new Set(events.map((e) => e.type))];

function checkSequence(events, from = 0) {
  events.forEach((e, i) => equal(e.sequence_number, from + i, 'sequence_number'));
}

op('responses.create', async (c) => {
  const r = await c.responses.create({ model: THINKER, input: 'Who goes there?', instructions: 'Be brief.' });
  assert(r.output_text.length > 0 && r.status === 'completed');
  equal(r.output.map((o) => o.type), ['reasoning', 'message']);
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

op('responses.create stream', async (c) => {
  const events = await collect(await c.responses.create({ model: THINKER, input: 'Who?', stream: true, reasoning: { summary: 'auto' } }));
  checkSequence(events);
  const want = ['created', 'in_progress', 'output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta',
    'reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done', 'content_part.added',
    'output_text.delta', 'output_text.done', 'content_part.done', 'completed'];
  equal(eventTypes(events).sort(), want.map((t) => `response.${t}`).sort());
  const text = events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join('');
  const final = events.at(-1).response;
  equal(final.output.at(-1).content[0].text, text);
  equal(events[0].response.usage, null);
  return checkUsage(final.usage, 'input_tokens', 'output_tokens');
});

op('responses.stream', async (c) => {
  const stream = c.responses.stream({ model: CHAT, input: 'Who?' });
  const final = await stream.finalResponse();
  assert(final.output_text.length > 0);
  return checkUsage(final.usage, 'input_tokens', 'output_tokens');
});

op('responses.parse', async (c) => {
  const schema = { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'], additionalProperties: false };
  const r = await c.responses.parse({ model: CHAT, input: 'Yes?', text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } } });
  assert(typeof JSON.parse(r.output_text).yes === 'boolean');
  return r.usage;
});

op('responses.create function', async (c) => {
  const tools = [{ type: 'function', name: 'get_weather', parameters: weather.function.parameters, strict: false }];
  const events = await collect(await c.responses.create({ model: CHAT, input: 'Weather?', tools, stream: true }));
  const call = events.at(-1).response.output.find((o) => o.type === 'function_call');
  equal(call.name, 'get_weather');
  const pieces = events.filter((e) => e.type === 'response.function_call_arguments.delta').map((e) => e.delta).join('');
  equal(pieces, call.arguments);
  const next = await c.responses.create({
    model: CHAT,
    previous_response_id: events.at(-1).response.id,
    input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
    tools,
  });
  assert(next.output_text.length > 0);
  assert(next.usage.input_tokens > events.at(-1).response.usage.total_tokens, 'what went before is part of the input');
  return checkUsage(next.usage, 'input_tokens', 'output_tokens');
});

op('responses.create hosted tools', async (c) => {
  const tools = [
    { type: 'web_search' },
    { type: 'file_search', vector_store_ids: ['vs_none'] },
    { type: 'code_interpreter', container: { type: 'auto' } },
    { type: 'image_generation', partial_images: 2 },
    { type: 'mcp', server_label: 'server', server_url: 'https://example.com', require_approval: 'never' },
  ];
  const events = await collect(await c.responses.create({ model: CHAT, input: 'Look around.', tools, stream: true }));
  checkSequence(events);
  const final = events.at(-1).response;
  equal(final.output.map((o) => o.type), ['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call', 'mcp_list_tools', 'mcp_call', 'message']);
  equal(events.filter((e) => e.type === 'response.image_generation_call.partial_image').length, 2);
  equal(final.tool_usage.web_search.num_requests, 1);
  assert(final.tool_usage.image_gen.output_tokens > 0);
  return final.usage;
});

op('responses.create incomplete', async (c) => {
  const r = await c.responses.create({ model: CHAT, input: 'Speak.', max_output_tokens: 16 });
  equal([r.status, r.incomplete_details.reason, r.usage.output_tokens], ['incomplete', 'max_output_tokens', 16]);
  return r.usage;
});

op('responses background', async (c) => {
  const made = await c.responses.create({ model: THINKER, input: 'Later.', background: true });
  equal(made.status, 'queued');
  let got = made;
  for (let i = 0; i < 50 && got.status !== 'completed'; i++) got = await c.responses.retrieve(made.id);
  equal(got.status, 'completed');
  const all = await collect(await c.responses.retrieve(made.id, { stream: true }));
  checkSequence(all);
  assert(eventTypes(all).includes('response.queued'));
  const rest = await collect(await c.responses.retrieve(made.id, { stream: true, starting_after: 4 }));
  checkSequence(rest, 5);
  equal(rest, all.slice(5));
  return got.usage;
});

op('responses.cancel', async (c) => {
  const made = await c.responses.create({ model: THINKER, input: 'Never.', background: true }, { headers: { 'x-sim-work-ms': '60000' } });
  equal((await c.responses.cancel(made.id)).status, 'cancelled');
  equal((await c.responses.retrieve(made.id)).status, 'cancelled');
});

op('responses stored', async (c) => {
  const made = await c.responses.create({ model: CHAT, input: [{ role: 'user', content: 'Keep this.' }], metadata: { a: 'b' } });
  const got = await c.responses.retrieve(made.id);
  equal(got.output_text, made.output_text);
  const items = await collect(c.responses.inputItems.list(made.id));
  equal(items.map((i) => i.content[0].text), ['Keep this.']);
  await c.responses.delete(made.id);
  await rejects(c.responses.retrieve(made.id), 404);
  return made.usage;
});

op('responses.inputTokens.count', async (c) => {
  const request = { model: CHAT, input: 'How many tokens is this?', instructions: 'Count.' };
  const counted = await c.responses.inputTokens.count(request);
  const r = await c.responses.create(request);
  equal(counted.object, 'response.input_tokens');
  equal(counted.input_tokens, r.usage.input_tokens);
  return r.usage;
});

op('responses.compact', async (c) => {
  const r = await c.responses.compact({ model: CHAT, input: [{ role: 'user', content: 'A long story.' }] });
  equal(r.object, 'response.compaction');
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

op('beta.responses', async (c) => {
  const made = await c.beta.responses.create({ model: CHAT, input: 'Beta.' });
  equal((await c.beta.responses.retrieve(made.id)).id, made.id);
  assert((await collect(c.beta.responses.inputItems.list(made.id))).length === 1);
  assert((await c.beta.responses.inputTokens.count({ model: CHAT, input: 'x' })).input_tokens > 0);
  await c.beta.responses.compact({ model: CHAT, input: 'x' });
  const background = await c.beta.responses.create({ model: CHAT, input: 'x', background: true });
  await c.beta.responses.cancel(background.id);
  await c.beta.responses.delete(made.id);
  return made.usage;
});

op('responses.create errors', async (c) => {
  await rejects(c.responses.create({ model: CHAT }), 400, 'missing_required_parameter');
  await rejects(c.responses.create({ model: CHAT, input: 'x', previous_response_id: 'resp_none' }), 400, 'previous_response_not_found');
});

op('decisions.create', async (c) => {
  const r = await c.decisions.create({
    model: 'gpt-6-luna',
    input: 'Let them pass.',
    questions: [
      { type: 'predicate', name: 'safe', instructions: 'Is it safe?' },
      { type: 'choice', name: 'way', instructions: 'Which way?', choices: [{ value: 'left' }, { value: 'right' }] },
      { type: 'score', name: 'fit', instructions: 'How fit?', levels: [{ label: 'low' }, { label: 'high' }] },
    ],
  });
  equal(r.answers.map((a) => a.type), ['predicate', 'choice', 'score']);
  equal(r.answers[1].choice, 'left');
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

// Images.

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

op('images.generate', async (c) => {
  const r = await c.images.generate({ model: 'gpt-image-1', prompt: 'a gate', n: 2, quality: 'low', size: '1024x1536' });
  equal(r.data.length, 2);
  equal([r.quality, r.size, r.usage.output_tokens], ['low', '1024x1536', 816]);
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

op('images.generate dall-e', async (c) => {
  const r = await c.images.generate({ model: 'dall-e-3', prompt: 'a gate' });
  assert(r.data[0].url.startsWith('https://') && r.usage === undefined);
});

op('images.generate stream', async (c) => {
  const events = await collect(await c.images.generate({ model: 'gpt-image-1', prompt: 'a gate', stream: true, partial_images: 2 }));
  equal(events.map((e) => e.type), ['image_generation.partial_image', 'image_generation.partial_image', 'image_generation.completed']);
  return checkUsage(events.at(-1).usage, 'input_tokens', 'output_tokens');
});

op('images.edit', async (c) => {
  const image = [await toFile(png, 'a.png', { type: 'image/png' }), await toFile(png, 'b.png', { type: 'image/png' })];
  const r = await c.images.edit({ model: 'gpt-image-1', image, prompt: 'add a gate' });
  equal(r.usage.input_tokens_details.image_tokens, 646);
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

op('images.edit stream', async (c) => {
  const image = await toFile(png, 'a.png', { type: 'image/png' });
  const events = await collect(await c.images.edit({ model: 'gpt-image-1', image, prompt: 'x', stream: true }));
  equal(events.at(-1).type, 'image_edit.completed');
  return checkUsage(events.at(-1).usage, 'input_tokens', 'output_tokens');
});

op('images.createVariation', async (c) => {
  const r = await c.images.createVariation({ model: 'dall-e-2', image: await toFile(png, 'a.png'), n: 2, response_format: 'b64_json' });
  equal(r.data.length, 2);
});

// Audio.

function wav(seconds) {
  const data = Buffer.alloc(16000 * seconds);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(16000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return toFile(Buffer.concat([head, data]), 'a.wav', { type: 'audio/wav' });
}

op('audio.speech.create', async (c) => {
  const r = await c.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hällo!' });
  equal(r.headers.get('content-type'), 'audio/mpeg');
  const bytes = Buffer.from(await r.arrayBuffer());
  equal(bytes.subarray(0, 3).toString(), 'ID3');
});

op('audio.speech.create sse', async (c) => {
  const r = await c.audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'Hello there.', stream_format: 'sse' });
  const events = (await r.text()).split('\n\n').filter(Boolean).map((f) => JSON.parse(f.slice(6)));
  equal(events.at(-1).type, 'speech.audio.done');
  return checkUsage(events.at(-1).usage, 'input_tokens', 'output_tokens');
});

op('audio.transcriptions.create', async (c) => {
  const r = await c.audio.transcriptions.create({ model: 'gpt-4o-transcribe', file: await wav(3) });
  assert(r.text.length > 0);
  equal([r.usage.type, r.usage.input_token_details.audio_tokens], ['tokens', 30]);
  return checkUsage(r.usage, 'input_tokens', 'output_tokens');
});

op('audio.transcriptions.create whisper', async (c) => {
  const r = await c.audio.transcriptions.create({ model: 'whisper-1', file: await wav(3) });
  equal(r.usage, { type: 'duration', seconds: 3 });
  return r.usage;
});

op('audio.transcriptions.create formats', async (c) => {
  const make = async (response_format, model = 'whisper-1') =>
    c.audio.transcriptions.create({ model, file: await wav(9), response_format });
  assert((await make('text')).length > 0);
  assert((await make('srt')).includes('00:00:04,000 --> 00:00:08,000'));
  assert((await make('vtt')).startsWith('WEBVTT'));
  const verbose = await make('verbose_json');
  equal([verbose.duration, verbose.segments.length], [9, 3]);
  equal(verbose.segments.map((s) => s.text).join(''), verbose.text);
  const diarized = await make('diarized_json', 'gpt-4o-transcribe-diarize');
  assert(diarized.segments.every((s) => s.speaker));
  return diarized.usage;
});

op('audio.transcriptions.create stream', async (c) => {
  const events = await collect(await c.audio.transcriptions.create({ model: 'gpt-4o-mini-transcribe', file: await wav(5), stream: true }));
  const text = events.filter((e) => e.type === 'transcript.text.delta').map((e) => e.delta).join('');
  equal(events.at(-1).text, text);
  return checkUsage(events.at(-1).usage, 'input_tokens', 'output_tokens');
});

op('audio.translations.create', async (c) => {
  const r = await c.audio.translations.create({ model: 'whisper-1', file: await wav(2) });
  assert(r.text.length > 0 && r.usage === undefined);
});

// Errors and retries of the SDK.

op('client retries', async () => {
  const patient = makeClient({ maxRetries: 2 });
  const headers = { 'x-sim-status': '429', 'x-sim-retry-after-ms': '1' };
  const e = await rejects(patient.chat.completions.create({ model: CHAT, messages }, { headers }), 429, 'rate_limit_exceeded');
  equal(e.headers.get('retry-after-ms'), '1');
});

op('client authentication', async () => {
  await rejects(makeClient({ apiKey: 'wrong' }).models.list(), 401, 'invalid_api_key');
});
