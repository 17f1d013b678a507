// SPDX-License-Identifier: Apache-2.0
// Administration: the operations that need an admin key.
import { assert, collect, equal, makeClient, op, rejects } from './harness.mjs';

const day = Math.floor(Date.now() / 86_400_000) * 86_400;
const org = (c) => c.admin.organization;

async function lifeCycle(api, body, change, { list = true, scope = [] } = {}) {
  const made = await api.create(...scope, body);
  const under = scope.length ? { project_id: scope[0] } : {};
  assert(made.id, 'no id');
  equal((await api.retrieve(made.id, scope.length ? under : undefined)).id, made.id);
  if (list) assert((await collect(api.list(...scope))).some((x) => x.id === made.id), 'not listed');
  if (change) for (const [k, v] of Object.entries(change)) equal((await api.update(made.id, { ...under, ...change }))[k], v);
  const removed = await api.delete(made.id, scope.length ? under : undefined);
  if ('deleted' in removed) equal(removed.deleted, true);
  await rejects(api.retrieve(made.id, scope.length ? under : undefined), 404);
}

op('admin.usage', async (c) => {
  const u = org(c).usage;
  const kinds = ['completions', 'embeddings', 'moderations', 'images', 'audioSpeeches', 'audioTranscriptions', 'vectorStores',
    'codeInterpreterSessions', 'fileSearchCalls', 'webSearchCalls', 'decisions'];
  for (const kind of kinds) {
    const page = await u[kind]({ start_time: day, group_by: kind === 'vectorStores' || kind === 'codeInterpreterSessions' ? ['project_id'] : ['project_id', 'api_key_id'] });
    equal([page.object, page.data.length, page.data[0].start_time], ['page', 1, day], kind);
  }
});

op('admin.usage pages', async (c) => {
  const first = await org(c).usage.completions({ start_time: day - 3 * 86_400, end_time: day + 86_400, limit: 2 });
  equal([first.data.length, first.has_more], [2, true]);
  const second = await org(c).usage.completions({ start_time: day - 3 * 86_400, end_time: day + 86_400, limit: 2, page: first.next_page });
  equal([second.data.length, second.has_more, second.data[1].start_time], [2, false, day]);
  await rejects(org(c).usage.completions({}), 400, 'missing_required_parameter');
});

op('admin.usage agrees with the calls', async (c) => {
  const sum = async () => {
    const page = await org(c).usage.completions({ start_time: day, models: ['gpt-4.1-mini-2025-04-14'], group_by: ['model'] });
    return page.data[0].results[0] ?? { input_tokens: 0, output_tokens: 0, num_model_requests: 0 };
  };
  const before = await sum();
  const r = await c.chat.completions.create({ model: 'gpt-4.1-mini', messages: [{ role: 'user', content: 'Count me.' }] });
  const after = await sum();
  equal(after.input_tokens - before.input_tokens, r.usage.prompt_tokens);
  equal(after.output_tokens - before.output_tokens, r.usage.completion_tokens);
  equal(after.num_model_requests - before.num_model_requests, 1);
});

op('admin.costs', async (c) => {
  const page = await org(c).usage.costs({ start_time: day, group_by: ['line_item', 'project_id'] });
  const lines = page.data[0].results;
  assert(lines.every((l) => l.amount.currency === 'usd' && l.line_item && l.project_id));
  const total = (await org(c).usage.costs({ start_time: day })).data[0].results[0].amount.value;
  assert(Math.abs(lines.reduce((s, l) => s + l.amount.value, 0) - total) < 1e-9);
});

op('admin needs an admin key', async () => {
  const plain = makeClient({ adminAPIKey: undefined });
  await rejects(plain.get('/organization/projects'), 403);
});

op('admin.projects', async (c) => {
  const p = org(c).projects;
  const made = await p.create({ name: 'p' });
  equal((await p.update(made.id, { name: 'q' })).name, 'q');
  assert((await collect(p.list())).some((x) => x.id === made.id));
  const account = await p.serviceAccounts.create(made.id, { name: 's' });
  const worker = makeClient({ apiKey: account.api_key.value });
  await worker.models.retrieve('gpt-4o');
  const keys = await collect(p.apiKeys.list(made.id));
  equal(keys.map((k) => [k.id, k.owner.type]), [[account.api_key.id, 'service_account']]);
  equal((await p.apiKeys.update(account.api_key.id, { project_id: made.id, name: 'renamed' })).name, 'renamed');
  await p.apiKeys.retrieve(account.api_key.id, { project_id: made.id });
  assert((await p.serviceAccounts.apiKeys.create(account.id, { project_id: made.id, name: 'two' })).value.startsWith('sk-'));
  equal((await p.apiKeys.delete(account.api_key.id, { project_id: made.id })).deleted, true);
  await rejects(worker.models.retrieve('gpt-4o'), 401, 'invalid_api_key');
  await p.serviceAccounts.update(account.id, { project_id: made.id, name: 't' });
  assert((await collect(p.serviceAccounts.list(made.id))).length === 1);
  equal((await p.serviceAccounts.delete(account.id, { project_id: made.id })).deleted, true);
  equal((await p.archive(made.id)).status, 'archived');
});

op('admin.projects parts', async (c) => {
  const p = org(c).projects;
  const { id } = await p.create({ name: 'p' });
  const user = (await collect(org(c).users.list()))[0];
  await p.users.create(id, { user_id: user.id, role: 'member' });
  equal((await p.users.update(user.id, { project_id: id, role: 'owner' })).role, 'owner');
  assert((await collect(p.users.list(id))).some((u) => u.id === user.id));
  equal((await p.users.delete(user.id, { project_id: id })).deleted, true);
  const limit = (await collect(p.rateLimits.listRateLimits(id)))[0];
  equal((await p.rateLimits.updateRateLimit(limit.id, { project_id: id, max_requests_per_1_minute: 5 })).max_requests_per_1_minute, 5);
  equal((await p.modelPermissions.update(id, { mode: 'allow_list', model_ids: ['gpt-4o'] })).mode, 'allow_list');
  equal((await p.modelPermissions.retrieve(id)).model_ids, ['gpt-4o']);
  await p.modelPermissions.delete(id);
  await p.serviceTierSettings.update(id, { default: 'fast' });
  equal((await p.serviceTierSettings.retrieve(id)).default, 'fast');
  await p.hostedToolPermissions.update(id, { web_search: { enabled: false } });
  equal((await p.hostedToolPermissions.retrieve(id)).web_search.enabled, false);
  await p.dataRetention.update(id, { type: 'none' });
  equal((await p.dataRetention.retrieve(id)).type, 'none');
  await p.spendLimit.update(id, { threshold_amount: 5, currency: 'USD', interval: 'month' });
  equal((await p.spendLimit.retrieve(id)).threshold_amount, 5);
  await p.spendLimit.delete(id);
  await lifeCycle(p.spendAlerts, { threshold_amount: 5, currency: 'USD', interval: 'month', notification_channel: { type: 'email', recipients: [] } }, { threshold_amount: 6 }, { scope: [id] });
  const group = await p.groups.create(id, { group_id: 'group_1', role: 'member' });
  equal(group.group_id, 'group_1');
  assert((await collect(p.groups.list(id))).length === 1);
  equal(await collect(p.certificates.list(id)), []);
  const role = await p.roles.create(id, { role_name: 'r', permissions: [] });
  await p.users.roles.create(user.id, { project_id: id, role_id: role.id });
  assert((await collect(p.users.roles.list(user.id, { project_id: id }))).length === 1);
  await p.roles.delete(role.id, { project_id: id });
});

op('admin.users groups roles', async (c) => {
  const o = org(c);
  const user = (await collect(o.users.list()))[0];
  equal((await o.users.retrieve(user.id)).email, user.email);
  equal((await o.users.update(user.id, { role: 'owner' })).role, 'owner');
  const role = await o.roles.create({ role_name: 'r', permissions: ['a'] });
  assert((await collect(o.roles.list())).some((r) => r.id === role.id));
  equal((await o.users.roles.create(user.id, { role_id: role.id })).object, 'user.role');
  assert((await collect(o.users.roles.list(user.id))).length === 1);
  await o.users.roles.delete(role.id, { user_id: user.id });
  const group = await o.groups.create({ name: 'g' });
  equal((await o.groups.update(group.id, { name: 'h' })).name, 'h');
  await o.groups.users.create(group.id, { user_id: user.id });
  equal((await o.groups.roles.create(group.id, { role_id: role.id })).object, 'group.role');
  assert((await collect(o.groups.list())).some((g) => g.id === group.id));
  equal((await o.groups.delete(group.id)).deleted, true);
  equal((await o.roles.delete(role.id)).deleted, true);
});

op('admin.keys invites logs', async (c) => {
  const o = org(c);
  const key = await o.adminAPIKeys.create({ name: 'k' });
  await makeClient({ adminAPIKey: key.value }).admin.organization.projects.list();
  assert((await collect(o.adminAPIKeys.list())).some((k) => k.id === key.id));
  equal((await o.adminAPIKeys.retrieve(key.id)).name, 'k');
  equal((await o.adminAPIKeys.delete(key.id)).deleted, true);
  await lifeCycle(o.invites, { email: 'a@example.com', role: 'reader' });
  assert((await collect(o.auditLogs.list())).length === 1);
});

op('admin.settings', async (c) => {
  const o = org(c);
  await o.dataRetention.update({ retention_type: 'zero_data_retention' });
  assert((await o.dataRetention.retrieve()).object === 'organization.data_retention');
  await o.spendLimit.update({ threshold_amount: 7, currency: 'USD', interval: 'month' });
  equal((await o.spendLimit.retrieve()).threshold_amount, 7);
  await o.spendLimit.delete();
  await lifeCycle(o.spendAlerts, { threshold_amount: 5, currency: 'USD', interval: 'month', notification_channel: { type: 'email', recipients: [] } }, { threshold_amount: 6 });
  await lifeCycle(o.externalKeys, { name: 'k', type: 'aws', kms_arn: 'arn' });
  const storage = await o.externalStorage.create({ project_id: 'proj_1', provider: { type: 'gcp' } });
  equal((await o.externalStorage.validate(storage.id)).status, 'validated');
  await o.externalStorage.delete(storage.id);
  const certificate = await o.certificates.create({ certificate: 'pem', name: 'n' });
  equal((await collect(o.certificates.activate({ certificate_ids: [certificate.id] })))[0].active, true);
  equal((await collect(o.certificates.deactivate({ certificate_ids: [certificate.id] })))[0].active, false);
  await o.certificates.update(certificate.id, { name: 'm' });
  await o.certificates.delete(certificate.id);
  const provider = await o.workloadIdentityProviders.create({ name: 'n', issuer: 'https://example.com', audience: 'a' });
  const rule = await o.workloadIdentityProviders.federationRules.create(provider.id, { name: 'r', project_id: 'p', service_account_id: 's' });
  await o.workloadIdentityProviders.federationRules.retrieve(rule.id, { provider_id: provider.id, workload_identity_provider_id: provider.id });
  await o.workloadIdentityProviders.delete(provider.id);
});

op('admin.checkpoint permissions', async (c) => {
  const p = c.fineTuning.checkpoints.permissions;
  const made = await collect(p.create('ft:a:b', { project_ids: ['proj_1'] }));
  equal(made[0].project_id, 'proj_1');
  assert((await collect(p.list('ft:a:b'))).length === 1);
  equal((await p.delete(made[0].id, { fine_tuned_model_checkpoint: 'ft:a:b' })).deleted, true);
});
