// SPDX-License-Identifier: Apache-2.0
// Operations on what is kept: files, batches, stores, threads, evals, and the rest of the surface.
import { toFile } from 'openai';
import { assert, checkUsage, collect, equal, op, rejects } from './harness.mjs';

const CHAT = 'gpt-4o';

/** Makes, lists, reads, changes and removes; `change` and what it must show are optional. */
async function lifeCycle(api, make, { change, shown, list = true, retrieve = true, remove = 'delete', scope } = {}) {
  const made = await make();
  const args = scope ? [scope] : [];
  assert(made.id, 'no id');
  if (retrieve) equal((await api.retrieve(made.id, ...args)).id, made.id);
  if (list) assert((await collect(scope ? api.list(...Object.values(scope)) : api.list())).some((x) => x.id === made.id), 'not listed');
  if (change) {
    const changed = await api.update(made.id, { ...scope, ...change });
    for (const [k, v] of Object.entries(shown ?? change)) equal(changed[k], v, k);
  }
  if (remove) {
    const removed = await api[remove](made.id, ...args);
    if (removed) equal(removed.deleted, true, 'deleted');
    if (retrieve) await rejects(api.retrieve(made.id, ...args), 404);
  }
  return made;
}

const text = (s, name = 'a.txt') => toFile(Buffer.from(s), name, { type: 'text/plain' });

// Models.

op('models', async (c) => {
  const all = await collect(c.models.list());
  assert(all.length > 50 && all.every((m) => m.object === 'model'));
  equal((await c.models.retrieve('gpt-4o')).id, 'gpt-4o');
  await rejects(c.models.retrieve('no-such-model'), 404, 'model_not_found');
  await rejects(c.models.delete('gpt-4o'), 403);
});

// Files and uploads.

op('files', async (c) => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 256));
  const made = await c.files.create({ file: await toFile(bytes, 'nöise.bin'), purpose: 'user_data' });
  equal([made.bytes, made.filename, made.purpose], [bytes.length, 'nöise.bin', 'user_data']);
  const content = await c.files.content(made.id);
  assert(Buffer.from(await content.arrayBuffer()).equals(bytes), 'the content is another');
  assert((await collect(c.files.list({ purpose: 'user_data' }))).some((f) => f.id === made.id));
  equal(await collect(c.files.list({ purpose: 'vision' })), []);
  equal((await c.files.waitForProcessing(made.id)).status, 'processed');
  const passing = await c.files.create({ file: await text('x'), purpose: 'batch', expires_after: { anchor: 'created_at', seconds: 3600 } });
  equal(passing.expires_at - passing.created_at, 3600);
  equal((await c.files.delete(made.id)).deleted, true);
  await rejects(c.files.retrieve(made.id), 404);
});

op('files pages', async (c) => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push((await c.files.create({ file: await text(`${i}`), purpose: 'evals' })).id);
  const page = await c.files.list({ purpose: 'evals', limit: 2, order: 'asc' });
  equal([page.data.map((f) => f.id), page.has_more], [ids.slice(0, 2), true]);
  equal((await collect(c.files.list({ purpose: 'evals', limit: 2, order: 'asc' }))).map((f) => f.id), ids);
  equal((await collect(c.files.list({ purpose: 'evals', limit: 2 }))).map((f) => f.id), [...ids].reverse());
  for (const id of ids) await c.files.delete(id);
});

op('uploads', async (c) => {
  const upload = await c.uploads.create({ bytes: 10, filename: 'b.txt', mime_type: 'text/plain', purpose: 'assistants' });
  equal(upload.status, 'pending');
  const parts = [];
  for (const s of ['world', 'hello']) parts.push((await c.uploads.parts.create(upload.id, { data: await text(s) })).id);
  const done = await c.uploads.complete(upload.id, { part_ids: parts.reverse() });
  equal([done.status, done.file.bytes], ['completed', 10]);
  equal(await (await c.files.content(done.file.id)).text(), 'helloworld');
  const other = await c.uploads.create({ bytes: 1, filename: 'c', mime_type: 'text/plain', purpose: 'assistants' });
  equal((await c.uploads.cancel(other.id)).status, 'cancelled');
  await rejects(c.uploads.complete(other.id, { part_ids: [] }), 400);
});

// Batches.

async function batch(c, endpoint, bodies, extra) {
  const lines = bodies.map((body, i) => JSON.stringify({ custom_id: `line-${i}`, method: 'POST', url: endpoint, body }));
  const file = await c.files.create({ file: await text(lines.join('\n'), 'in.jsonl'), purpose: 'batch' });
  return c.batches.create({ endpoint, input_file_id: file.id, completion_window: '24h' }, extra);
}

async function finished(c, id) {
  for (let i = 0; ; i++) {
    const b = await c.batches.retrieve(id);
    if (['completed', 'failed', 'cancelled'].includes(b.status)) return b;
    assert(i < 200, 'the batch does not end');
    await new Promise((done) => setTimeout(done, 20));
  }
}

op('batches', async (c) => {
  const chat = (content) => ({ model: CHAT, messages: [{ role: 'user', content }] });
  const made = await batch(c, '/v1/chat/completions', [...Array(40).keys()].map((i) => chat(`line ${i}`)).concat([{ model: CHAT }]));
  equal(made.status, 'validating');
  const done = await finished(c, made.id);
  equal([done.status, done.request_counts], ['completed', { total: 41, completed: 40, failed: 1 }]);
  const out = (await (await c.files.content(done.output_file_id)).text()).trim().split('\n').map((l) => JSON.parse(l));
  equal(out.map((l) => l.custom_id), [...Array(40).keys()].map((i) => `line-${i}`));
  const sum = (f) => out.reduce((s, l) => s + f(l.response.body.usage), 0);
  equal([done.usage.input_tokens, done.usage.output_tokens], [sum((u) => u.prompt_tokens), sum((u) => u.completion_tokens)]);
  const errors = JSON.parse(await (await c.files.content(done.error_file_id)).text());
  equal([errors.custom_id, errors.response.status_code], ['line-40', 400]);
  assert((await collect(c.batches.list())).some((b) => b.id === made.id));
  return checkUsage(done.usage, 'input_tokens', 'output_tokens');
});

op('batches other endpoints', async (c) => {
  const cases = [
    ['/v1/embeddings', { model: 'text-embedding-3-small', input: 'a' }],
    ['/v1/responses', { model: CHAT, input: 'a' }],
    ['/v1/completions', { model: 'gpt-3.5-turbo-instruct', prompt: 'a' }],
    ['/v1/moderations', { input: 'a' }],
    ['/v1/images/generations', { model: 'gpt-image-1', prompt: 'a' }],
  ];
  for (const [endpoint, body] of cases) {
    const done = await finished(c, (await batch(c, endpoint, [body])).id);
    equal(done.request_counts, { total: 1, completed: 1, failed: 0 }, endpoint);
  }
});

op('batches.cancel', async (c) => {
  const made = await batch(c, '/v1/embeddings', [{ model: 'text-embedding-3-small', input: 'a' }], { headers: { 'x-sim-work-ms': '60000' } });
  equal((await c.batches.cancel(made.id)).status, 'cancelling');
  equal((await finished(c, made.id)).status, 'cancelled');
});

// Fine-tuning, graders, evals.

op('fineTuning.jobs', async (c) => {
  const file = await c.files.create({ file: await text('{"messages":[]}\n'.repeat(10), 't.jsonl'), purpose: 'fine-tune' });
  const made = await c.fineTuning.jobs.create({ model: 'gpt-4o-mini-2024-07-18', training_file: file.id, suffix: 'gate' });
  equal(made.status, 'validating_files');
  const done = await c.fineTuning.jobs.retrieve(made.id);
  equal(done.status, 'succeeded');
  assert(done.trained_tokens > 0 && done.fine_tuned_model.startsWith('ft:gpt-4o-mini-2024-07-18:'));
  assert((await collect(c.fineTuning.jobs.list())).some((j) => j.id === made.id));
  assert((await collect(c.fineTuning.jobs.listEvents(made.id))).length > 0);
  equal((await collect(c.fineTuning.jobs.checkpoints.list(made.id)))[0].fine_tuning_job_id, made.id);
  equal((await c.models.retrieve(done.fine_tuned_model)).id, done.fine_tuned_model);
  const r = await c.chat.completions.create({ model: done.fine_tuned_model, messages: [{ role: 'user', content: 'hi' }] });
  equal((await c.models.delete(done.fine_tuned_model)).deleted, true);
  await rejects(c.fineTuning.jobs.create({ model: CHAT, training_file: 'file-none' }), 400);
  return r.usage;
});

op('fineTuning.jobs actions', async (c) => {
  const file = await c.files.create({ file: await text('{}\n', 't.jsonl'), purpose: 'fine-tune' });
  const made = await c.fineTuning.jobs.create({ model: CHAT, training_file: file.id }, { headers: { 'x-sim-work-ms': '60000' } });
  equal((await c.fineTuning.jobs.pause(made.id)).status, 'paused');
  equal((await c.fineTuning.jobs.resume(made.id)).status, 'queued');
  equal((await c.fineTuning.jobs.cancel(made.id)).status, 'cancelled');
});

op('fineTuning.alpha.graders', async (c) => {
  const grader = { type: 'string_check', name: 'same', input: 'a', reference: 'a', operation: 'eq' };
  equal((await c.fineTuning.alpha.graders.run({ grader, model_sample: 'a' })).reward, 1);
  equal((await c.fineTuning.alpha.graders.validate({ grader })).grader.name, 'same');
});

op('evals', async (c) => {
  const make = () => c.evals.create({ name: 'e', data_source_config: { type: 'custom', item_schema: {} }, testing_criteria: [] });
  const made = await make();
  equal((await c.evals.update(made.id, { name: 'f' })).name, 'f');
  assert((await collect(c.evals.list())).some((e) => e.id === made.id));
  equal((await c.evals.retrieve(made.id)).id, made.id);
  const run = await c.evals.runs.create(made.id, { name: 'r', data_source: { type: 'jsonl', source: { type: 'file_id', id: 'file-1' } } });
  equal((await c.evals.runs.retrieve(run.id, { eval_id: made.id })).status, 'completed');
  assert((await collect(c.evals.runs.list(made.id))).some((r) => r.id === run.id));
  const items = await collect(c.evals.runs.outputItems.list(run.id, { eval_id: made.id }));
  equal((await c.evals.runs.outputItems.retrieve(items[0].id, { eval_id: made.id, run_id: run.id })).id, items[0].id);
  await c.evals.runs.cancel(run.id, { eval_id: made.id });
  equal((await c.evals.runs.delete(run.id, { eval_id: made.id })).deleted, true);
  equal((await c.evals.delete(made.id)).deleted, true);
});

// Vector stores and containers.

op('vectorStores', async (c) => {
  await lifeCycle(c.vectorStores, () => c.vectorStores.create({ name: 's', metadata: { a: 'b' } }), { change: { name: 't' } });
});

op('vectorStores.files', async (c) => {
  const [near, far] = await Promise.all(
    ['the toll is two coins', 'something else'].map(async (s) => c.files.create({ file: await text(s), purpose: 'assistants' })),
  );
  const store = await c.vectorStores.create({ name: 's', file_ids: [far.id] });
  const file = await c.vectorStores.files.createAndPoll(store.id, { file_id: near.id, attributes: { kind: 'toll' } });
  equal([file.status, file.usage_bytes], ['completed', 21]);
  equal((await c.vectorStores.retrieve(store.id)).file_counts.total, 2);
  assert((await collect(c.vectorStores.files.list(store.id))).length === 2);
  equal((await c.vectorStores.files.update(near.id, { vector_store_id: store.id, attributes: { kind: 'x' } })).attributes, { kind: 'x' });
  const content = await collect(c.vectorStores.files.content(near.id, { vector_store_id: store.id }));
  equal(content[0].text, 'the toll is two coins');
  const found = await collect(c.vectorStores.search(store.id, { query: 'toll coins' }));
  equal(found.map((f) => [f.file_id, f.score]), [[near.id, 1]]);
  const uploaded = await c.vectorStores.files.uploadAndPoll(store.id, await text('more'));
  equal(uploaded.status, 'completed');
  equal((await c.vectorStores.files.delete(near.id, { vector_store_id: store.id })).deleted, true);
  await c.vectorStores.delete(store.id);
});

op('vectorStores.fileBatches', async (c) => {
  const store = await c.vectorStores.create({ name: 's' });
  const file = await c.files.create({ file: await text('x'), purpose: 'assistants' });
  const made = await c.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [file.id] });
  equal([made.status, made.file_counts.completed], ['completed', 1]);
  equal((await collect(c.vectorStores.fileBatches.listFiles(made.id, { vector_store_id: store.id }))).length, 1);
  const up = await c.vectorStores.fileBatches.uploadAndPoll(store.id, { files: [await text('y'), await text('z')] });
  equal(up.file_counts.completed, 2);
  equal((await c.vectorStores.fileBatches.cancel(made.id, { vector_store_id: store.id })).status, 'cancelled');
});

op('containers', async (c) => {
  const made = await c.containers.create({ name: 'box' });
  equal((await c.containers.retrieve(made.id)).name, 'box');
  assert((await collect(c.containers.list())).some((x) => x.id === made.id));
  const file = await c.containers.files.create(made.id, { file: await text('inside') });
  equal((await c.containers.files.retrieve(file.id, { container_id: made.id })).bytes, 6);
  assert((await collect(c.containers.files.list(made.id))).length === 1);
  equal(await (await c.containers.files.content.retrieve(file.id, { container_id: made.id })).text(), 'inside');
  await c.containers.files.delete(file.id, { container_id: made.id });
  await c.containers.delete(made.id);
  await rejects(c.containers.retrieve(made.id), 404);
});

// Assistants.

const weather = { type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } };

op('beta.assistants', async (c) => {
  await lifeCycle(c.beta.assistants, () => c.beta.assistants.create({ model: CHAT, name: 'a' }), { change: { name: 'b' } });
});

op('beta.threads', async (c) => {
  const made = await c.beta.threads.create({ messages: [{ role: 'user', content: 'hello' }], metadata: { a: '1' } });
  equal((await c.beta.threads.update(made.id, { metadata: { a: '2' } })).metadata, { a: '2' });
  const second = await c.beta.threads.messages.create(made.id, { role: 'user', content: [{ type: 'text', text: 'again' }] });
  const all = await collect(c.beta.threads.messages.list(made.id, { order: 'asc' }));
  equal(all.map((m) => m.content[0].text.value), ['hello', 'again']);
  equal((await c.beta.threads.messages.retrieve(second.id, { thread_id: made.id })).id, second.id);
  await c.beta.threads.messages.update(second.id, { thread_id: made.id, metadata: { b: '1' } });
  equal((await c.beta.threads.messages.delete(second.id, { thread_id: made.id })).deleted, true);
  equal((await c.beta.threads.delete(made.id)).deleted, true);
  await rejects(c.beta.threads.retrieve(made.id), 404);
});

op('beta.threads.runs', async (c) => {
  const assistant = await c.beta.assistants.create({ model: CHAT, instructions: 'Be kind.' });
  const thread = await c.beta.threads.create({ messages: [{ role: 'user', content: 'hello' }] });
  const run = await c.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  equal(run.status, 'completed');
  const said = await collect(c.beta.threads.messages.list(thread.id, { run_id: run.id }));
  assert(said[0].role === 'assistant' && said[0].content[0].text.value.length > 0);
  const steps = await collect(c.beta.threads.runs.steps.list(run.id, { thread_id: thread.id }));
  equal((await c.beta.threads.runs.steps.retrieve(steps[0].id, { thread_id: thread.id, run_id: run.id })).usage, steps[0].usage);
  assert((await collect(c.beta.threads.runs.list(thread.id))).length === 1);
  await c.beta.threads.runs.update(run.id, { thread_id: thread.id, metadata: { a: 'b' } });
  const other = await c.beta.threads.runs.create(thread.id, { assistant_id: assistant.id }, { headers: { 'x-sim-work-ms': '60000' } });
  equal((await c.beta.threads.runs.cancel(other.id, { thread_id: thread.id })).status, 'cancelled');
  return checkUsage(run.usage, 'prompt_tokens', 'completion_tokens');
});

op('beta.threads.runs.stream', async (c) => {
  const assistant = await c.beta.assistants.create({ model: CHAT });
  const thread = await c.beta.threads.create({ messages: [{ role: 'user', content: 'hello' }] });
  const stream = c.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  const events = await collect(stream);
  const names = events.map((e) => e.event);
  equal(names.slice(0, 3), ['thread.run.created', 'thread.run.queued', 'thread.run.in_progress']);
  equal(names.at(-1), 'thread.run.completed');
  const text = events.filter((e) => e.event === 'thread.message.delta').map((e) => e.data.delta.content[0].text.value).join('');
  equal(events.find((e) => e.event === 'thread.message.completed').data.content[0].text.value, text);
  return checkUsage(events.at(-1).data.usage, 'prompt_tokens', 'completion_tokens');
});

op('beta.threads.runs tools', async (c) => {
  const assistant = await c.beta.assistants.create({ model: CHAT, tools: [weather] });
  let run = await c.beta.threads.createAndRunPoll({ assistant_id: assistant.id, thread: { messages: [{ role: 'user', content: 'Weather?' }] } });
  equal(run.status, 'requires_action');
  const call = run.required_action.submit_tool_outputs.tool_calls[0];
  equal(call.function.name, 'get_weather');
  const outputs = { thread_id: run.thread_id, tool_outputs: [{ tool_call_id: call.id, output: 'sunny' }] };
  run = await c.beta.threads.runs.submitToolOutputsAndPoll(run.id, outputs);
  equal(run.status, 'completed');
  const stream = await c.beta.threads.createAndRun({ assistant_id: assistant.id, thread: { messages: [{ role: 'user', content: 'x' }] }, stream: true });
  const events = await collect(stream);
  equal(events[0].event, 'thread.created');
  const asked = events.at(-1);
  equal(asked.event, 'thread.run.requires_action');
  const rest = await collect(c.beta.threads.runs.submitToolOutputsStream(asked.data.id, {
    thread_id: asked.data.thread_id,
    tool_outputs: [{ tool_call_id: asked.data.required_action.submit_tool_outputs.tool_calls[0].id, output: 'rain' }],
  }));
  equal(rest.at(-1).event, 'thread.run.completed');
  return checkUsage(run.usage, 'prompt_tokens', 'completion_tokens');
});

op('conversations', async (c) => {
  const made = await c.conversations.create({ metadata: { a: '1' }, items: [{ type: 'message', role: 'user', content: 'hello' }] });
  equal((await c.conversations.update(made.id, { metadata: { a: '2' } })).metadata, { a: '2' });
  const added = await c.conversations.items.create(made.id, { items: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'more' }] }] });
  equal((await c.conversations.items.retrieve(added.data[0].id, { conversation_id: made.id })).content[0].text, 'more');
  const r = await c.responses.create({ model: CHAT, conversation: made.id, input: 'and more' });
  const items = await collect(c.conversations.items.list(made.id, { order: 'asc' }));
  equal(items.map((i) => i.content[0].text), ['hello', 'more', 'and more', r.output_text]);
  await c.conversations.items.delete(added.data[0].id, { conversation_id: made.id });
  equal((await c.conversations.delete(made.id)).deleted, true);
  await rejects(c.conversations.retrieve(made.id), 404);
  return r.usage;
});

// Video, voices.

op('videos', async (c) => {
  const made = await c.videos.create({ model: 'sora-2', prompt: 'a gate opens', seconds: '8' });
  equal([made.status, made.seconds], ['queued', '8']);
  const done = await c.videos.retrieve(made.id);
  equal(done.status, 'completed');
  const content = Buffer.from(await (await c.videos.downloadContent(made.id)).arrayBuffer());
  equal(content.subarray(4, 8).toString(), 'ftyp');
  equal((await c.videos.remix(made.id, { prompt: 'and closes' })).remixed_from_video_id, made.id);
  await c.videos.edit({ video: { id: made.id }, prompt: 'x' });
  await c.videos.extend({ video: { id: made.id }, prompt: 'x', seconds: '4' });
  const character = await c.videos.createCharacter({ name: 'keeper', video: await text('v', 'v.mp4') });
  equal((await c.videos.getCharacter(character.id)).name, 'keeper');
  assert((await collect(c.videos.list())).length >= 2);
  equal((await c.videos.delete(made.id)).deleted, true);
});

op('audio.voices', async (c) => {
  const consents = c.audio.voiceConsents;
  const consent = await lifeCycle(consents, async () => consents.create({ name: 'n', language: 'en', recording: await text('r', 'r.wav') }), { change: { name: 'm' } });
  const voice = await c.audio.voices.create({ name: 'v', audio_sample: await text('s', 's.wav'), consent: consent.id });
  equal((await c.audio.voices.delete(voice.id)).deleted, true);
});

// The rest of the surface.

op('skills', async (c) => {
  const made = await c.skills.create({ files: [await text('# Skill', 'SKILL.md')] });
  equal((await c.skills.update(made.id, { default_version: '1' })).default_version, '1');
  assert((await collect(c.skills.list())).some((s) => s.id === made.id));
  equal(await (await c.skills.content.retrieve(made.id)).text(), '# Skill');
  const version = await c.skills.versions.create(made.id, { files: [await text('# Two', 'SKILL.md')] });
  equal(version.version, '2');
  assert((await collect(c.skills.versions.list(made.id))).length === 2);
  equal((await c.skills.versions.retrieve('2', { skill_id: made.id })).version, '2');
  equal(await (await c.skills.versions.content.retrieve('2', { skill_id: made.id })).text(), '# Two');
  equal((await c.skills.versions.delete('2', { skill_id: made.id })).deleted, true);
  equal((await c.skills.delete(made.id)).deleted, true);
});

op('webhooks', async (c) => {
  const made = await c.webhooks.create({ name: 'w', url: 'https://example.com', event_types: ['batch.completed'] });
  assert(made.signing_secret.startsWith('whsec_'));
  equal((await c.webhooks.update(made.id, { name: 'x' })).name, 'x');
  assert((await collect(c.webhooks.list())).some((w) => w.id === made.id));
  assert((await c.webhooks.rotateSecret(made.id)).signing_secret !== made.signing_secret);
  equal((await c.webhooks.test(made.id, { event_type: 'batch.completed' })).success, true);
  assert((await c.webhooks.eventTypes.list()).data.includes('batch.completed'));
  equal((await c.webhooks.delete(made.id)).deleted, true);
});

op('beta.agents', async (c) => {
  const a = c.beta.agents;
  await lifeCycle(a, () => a.create({ model: CHAT, name: 'n' }), { change: { name: 'm' } });
  const target = { type: 'new_session' };
  const automation = await lifeCycle(a.automations, () => a.automations.create({ name: 'n', type: 'periodic', expression: '0 0 * * *', timezone: 'UTC', target }), { change: { name: 'm' }, remove: null });
  equal((await a.automations.pause(automation.id)).status, 'paused');
  equal((await a.automations.resume(automation.id)).status, 'active');
  await a.automations.invocations.create(automation.id);
  assert((await collect(a.automations.invocations.list(automation.id))).length === 1);
  await a.automations.delete(automation.id);
  const environment = await a.environments.create({ environment: { type: 'openai_hosted' } });
  equal((await a.environments.retrieve(environment.id)).id, environment.id);
  assert((await collect(a.environments.list())).length >= 1);
  await lifeCycle(a.environments.templates, () => a.environments.templates.create({ name: 'n' }), { change: { name: 'm' } });
});

op('beta.agents.sessions', async (c) => {
  const s = c.beta.agents.sessions;
  const made = await s.create({ agent: { model: CHAT } });
  equal((await s.retrieve(made.id)).id, made.id);
  await s.update(made.id, { metadata: { a: 'b' } });
  for (const part of [s.items, s.subagents, s.artifacts, s.traces, s.turns]) equal(await collect(part.list(made.id)), []);
  await s.events.create(made.id, { events: [] });
  const events = await collect(await s.events.stream(made.id));
  equal(events.length, 1);
  equal((await s.delete(made.id)).deleted, true);
});

op('beta.agents.vaults', async (c) => {
  const v = c.beta.agents.vaults;
  const made = await v.create({ name: 'n' });
  assert((await collect(v.list())).some((x) => x.id === made.id));
  const credential = await v.credentials.create(made.id, { name: 'k', auth: { type: 'api_key', value: 'x' } });
  equal((await v.credentials.retrieve(credential.id, { vault_id: made.id })).id, credential.id);
  await v.credentials.update(credential.id, { vault_id: made.id, name: 'l' });
  equal((await v.credentials.delete(credential.id, { vault_id: made.id })).deleted, true);
  equal((await v.delete(made.id)).deleted, true);
});

op('beta.chatkit', async (c) => {
  const made = await c.beta.chatkit.sessions.create({ user: 'u', workflow: { id: 'wf_1' } });
  assert(made.client_secret.startsWith('ek_'));
  equal((await c.beta.chatkit.sessions.cancel(made.id)).status, 'cancelled');
  equal(await collect(c.beta.chatkit.threads.list()), []);
  await rejects(c.beta.chatkit.threads.retrieve('cthr_none'), 404);
});

op('realtime over HTTP', async (c) => {
  const secret = await c.realtime.clientSecrets.create({ session: { type: 'realtime', model: 'gpt-realtime' } });
  assert(secret.value.startsWith('ek_'));
  assert((await c.beta.realtime.sessions.create({ model: 'gpt-4o-realtime-preview' })).client_secret.value);
  assert((await c.beta.realtime.transcriptionSessions.create({})).client_secret.value);
  assert((await c.realtime.translations.clientSecrets.create({ session: { model: 'gpt-realtime-translate' } })).value);
  const call = await c.realtime.calls.create({ sdp: 'v=0\r\n', session: { type: 'realtime', model: 'gpt-realtime' } });
  equal([call.status, call.headers.get('content-type')], [201, 'application/sdp']);
  const id = call.headers.get('location').split('/').at(-1);
  await call.text();
  await c.realtime.calls.accept(id, { type: 'realtime', model: 'gpt-realtime' });
  await c.realtime.calls.refer(id, { target_uri: 'tel:+1' });
  await c.realtime.calls.hangup(id);
  await c.realtime.calls.reject(id, { status_code: 603 });
});

op('live over HTTP', async (c) => {
  const made = await c.live.create({ session: { model: 'gpt-live-1' }, transport: { type: 'webrtc', sdp: 'v=0' } });
  const id = made.session.id;
  await c.live.sessions.accept(id, { session: { model: 'gpt-live-1' } });
  assert((await c.live.sessions.fork(id, {})).session.id);
  await c.live.sessions.refer(id, { target_uri: 'tel:+1' });
  await c.live.sessions.hangup(id);
  await c.live.sessions.reject(id, {});
  equal(Buffer.from(await (await c.live.sessions.downloadRecording(id)).arrayBuffer()).subarray(0, 4).toString(), 'OggS');
});

op('safety and provenance', async (c) => {
  equal((await c.safety.cases.retrieve('case_1')).id, 'case_1');
  equal((await c.safety.alerts.retrieve('alert_1')).id, 'alert_1');
  equal((await c.contentProvenanceChecks.create({ file: await text('x', 'x.png') })).object, 'content_provenance_check');
});

op('unknown path', async (c) => {
  const e = await rejects(c.post('/no/such/thing', { body: { a: 1 } }), 404);
  equal(e.type, 'invalid_request_error');
});
