// SPDX-License-Identifier: Apache-2.0
// The console: shows what the public API gives to who is signed in (sign_in.js), or to a key that was entered. A key stays
// in this tab.
'use strict';

const byId = (id) => document.getElementById(id);
const count = (n) => Number(n).toLocaleString('en-US');
const plural = (n, name) => count(n) + ' ' + name + (n === 1 ? '' : 's');
const millis = (us) => (us ? (us / 1000).toFixed(us < 10000 ? 1 : 0) + ' ms' : '–');

function say(text, bad) {
  byId('message').textContent = text;
  byId('message').className = bad ? 'bad' : 'note';
}

// The session has ended, or the key was revoked, while the page was open.
class SignedOut extends Error {}

// Answers keep amounts as decimal text: a double would lose digits.
async function get(path) {
  const key = sessionStorage.getItem('key');
  const answer = await fetch(path, key ? { headers: { Authorization: 'Bearer ' + key } } : {});
  const text = await answer.text();
  const exact = text.replace(/"((?:[a-z_]+_)?usd)":(-?[0-9.]+)/g, '"$1":"$2"');
  const body = JSON.parse(exact);
  if (answer.status === 401) throw new SignedOut();
  if (!answer.ok) throw new Error(body.error ? body.error.message : 'status ' + answer.status);
  return body;
}

function row(table, cells, open, kindOfRow) {
  const tr = table.insertRow();
  if (kindOfRow) tr.className = kindOfRow;
  for (const [text, kind] of cells) {
    const td = tr.insertCell();
    td.textContent = text;
    if (String(text).length > 30) td.title = text; // what the column cuts off
    if (kind) td.className = kind;
  }
  if (!open) return;
  tr.tabIndex = 0;
  tr.addEventListener('click', open);
  tr.addEventListener('keydown', (e) => { if (e.key === 'Enter') open(); });
}

function showTotals(total) {
  const box = byId('totals');
  box.replaceChildren();
  const facts = [['Cost, last 30 days', '$' + total.cost_usd], ['Requests', count(total.requests)],
    ['Errors', count(total.errors)], ['Unpriced', count(total.unpriced)], ['Estimated', count(total.estimated)]];
  if (total.discarded) {
    facts.push(['Wasted by retries and fallbacks', '$' + total.wasted_usd],
      ['Retries / fallbacks', count(total.retries) + ' / ' + count(total.fallbacks)]);
  }
  if (total.cache_hits) facts.push(['Saved by ' + plural(total.cache_hits, 'cache hit'), '$' + total.saved_usd]);
  for (const [name, value] of facts) {
    const cell = document.createElement('div');
    const figure = document.createElement('b');
    figure.textContent = value;
    cell.append(name, figure);
    box.append(cell);
  }
  box.hidden = false;
}

function fill(id, items, cellsOf, openOf, kindOf) {
  const section = byId(id);
  const body = section.querySelector('tbody');
  body.replaceChildren();
  for (const item of items) row(body, cellsOf(item), openOf && (() => openOf(item)), kindOf && kindOf(item));
  section.hidden = !items.length;
}

function element(name, text) {
  const e = document.createElement(name);
  e.textContent = text;
  return e;
}

// JSON is indented; everything else is shown as it is.
function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function addBody(box, title, body) {
  if (!body) return;
  box.append(element('h3', title + ', ' + count(body.size_bytes) + ' bytes' + (body.cut ? ', the beginning' : '')));
  box.append(element('pre', body.text === undefined ? body.base64 : readable(body.text)));
}

// The other attempts of the request, each a button that shows it.
async function addAttempts(box, full) {
  if (!full.attempt && !full.discarded) return;
  const { data } = await get('/tollgate/v1/logs?limit=200&request_id=' + full.request_id);
  box.append(element('h3', count(data.length) + ' attempts of this request'));
  for (const r of data.reverse()) {
    const line = element('button', ['attempt ' + r.attempt, r.status || r.outcome, routeOf(r), millis(r.total_us),
      (r.discarded ? 'wasted ' : 'cost ') + (r.cost_usd === null ? r.cost_state : '$' + r.cost_usd)].filter(Boolean).join(', '));
    line.disabled = r.id === full.id;
    line.addEventListener('click', () => openRequest(r));
    box.append(line, document.createElement('br'));
  }
}

async function openRequest(item) {
  let full;
  try {
    full = await get('/tollgate/v1/logs/' + item.id);
  } catch (e) {
    failed(e);
    return;
  }
  const { request_body: asked, response_body: answered, request_headers: askedWith, response_headers: answeredWith, ...facts } = full;
  const box = byId('detail').querySelector('div');
  const list = document.createElement('dl');
  for (const [name, value] of Object.entries(facts)) {
    if (value === null || value === '') continue;
    list.append(element('dt', name), element('dd', typeof value === 'object' ? JSON.stringify(value) : String(value)));
  }
  box.replaceChildren(list);
  await addAttempts(box, full).catch((e) => say(e.message, true));
  for (const [title, fields] of [['Request fields', askedWith], ['Answer fields', answeredWith]]) {
    if (fields) box.append(element('h3', title), element('pre', JSON.stringify(fields, null, 2)));
  }
  addBody(box, 'Request', asked);
  addBody(box, 'Answer', answered);
  byId('detail').querySelector('h2').textContent = item.operation + ', ' + item.id;
  if (!byId('detail').open) byId('detail').showModal();
  byId('detail').scrollTop = 0;
}

// What is out of the ordinary: where a config sent it, retries, the cache, guardrails.
function routeOf(r) {
  return [r.target && r.provider + ' ' + r.target.replace(/^config\.?/, ''), r.config, r.retry && 'retry ' + r.retry,
    r.cache !== 'DISABLED' && r.cache, r.hooks && r.hooks !== 'passed' && 'guardrails ' + r.hooks,
    Number(r.saved_usd) && 'saved $' + r.saved_usd].filter(Boolean).join(', ');
}

function requestCells(r) {
  const state = r.cost_usd === null ? r.cost_state : r.cost_usd + (r.cost_state === 'estimated' ? ' ≈' : '');
  return [[r.started_at.replace('T', ' ').slice(0, 19)], [r.operation], [r.model_answered || r.model_asked || '–'],
    [r.key_name || r.key], [String(r.status || r.outcome), 'n' + (r.status >= 400 || !r.status ? ' bad' : '')],
    [count(r.usage.input_tokens), 'n'], [count(r.usage.output_tokens), 'n'], [millis(r.first_byte_us), 'n'],
    [millis(r.total_us), 'n'], [state, 'n' + (r.cost_state === 'unpriced' ? ' bad' : '')], [routeOf(r)]];
}

// ---- the bill ----

// Rounded for reading; tollgate reconcile --json has all digits.
function dollars(text, places = Math.abs(Number(text)) >= 1 || Number(text) === 0 ? 2 : 6) {
  return Number(text).toLocaleString('en-US', { style: 'currency', currency: 'USD', minimumFractionDigits: places, maximumFractionDigits: places });
}

const causes = { bypassed: 'used without the gateway', batch: 'batch work, not metered', estimated: 'answers that broke off',
  unpriced: 'requests without a price', price: 'another price than the catalogue’s', free: 'used and not charged',
  own_price: 'priced differently at the time', not_on_bill: 'not on the bill', pending: 'the bill may still change' };

// What is seen adds up: below ten dollars the table has every digit, as that of tollgate reconcile.
function billPlaces(rows) {
  const large = Math.max(...rows.map((r) => Math.max(Number(r.billed), Number(r.metered)))) >= 10;
  const digits = (text) => (text.split('.')[1] || '').replace(/0+$/, '').length;
  return large ? 2 : Math.min(12, Math.max(2, ...rows.flatMap((r) => amountsOf(r).map(digits))));
}

const amountsOf = (r) => [r.billed, r.metered, r.gap, r.volume_gap, r.rate_gap, r.pricing_gap];

function billCells(groups, places, r) {
  const of = r.title || groups.map((g) => r[g + '_name'] || r[g] || '(none)').join(', ');
  const why = [causes[r.cause], r.unpriced_attempts && count(r.unpriced_attempts) + ' unpriced'].filter(Boolean).join('; ');
  return [[of], ...amountsOf(r).map((a) => [dollars(a, places), 'n']), [r.status, r.status === 'matched' || r.status === 'pending' ? '' : 'bad'], [why]];
}

// Tokens are priced by the million.
function unitPrice(p, price) {
  if (!price) return 'nothing';
  return p.unit === 'Tokens' ? dollars(Number(price) * 1e6) + ' a million tokens' : dollars(price) + ' a unit of ' + p.unit;
}

function billState(answer) {
  const { billed_through: through, provisional_days: provisional, missing_days: missing } = answer.completeness;
  if (!through && !provisional && !answer.data.length) return 'Nothing was imported of this month; “tollgate import status” says how far the import is.';
  const amount = dollars(answer.total.unattributed, billPlaces([answer.total]));
  return [through ? 'Billed through ' + through : 'No day is settled yet', provisional && plural(provisional, 'day') + ' provisional',
    missing && plural(missing, 'day') + ' not imported', amount + ' of the bill was used without the gateway'].filter(Boolean).join('; ') + '.';
}

// Nothing is shown where no bill was ever imported.
async function showBill() {
  const form = byId('bill').querySelector('form');
  const imports = await get('/tollgate/v1/imports');
  if (!imports.data.length) return;
  form.month.value = form.month.value || new Date().toISOString().slice(0, 7);
  const groups = form.group_by.value.split(',');
  const answer = await get('/tollgate/v1/reconciliation?limit=100&month=' + form.month.value + '&group_by=' + groups);
  const rows = [...answer.data, { ...answer.total, title: 'Total' }];
  const places = billPlaces(rows);
  fill('bill', rows, (r) => billCells(groups, places, r));
  byId('bill').querySelector('table').hidden = byId('bill-gap').hidden = !answer.data.length;
  byId('bill-state').textContent = billState(answer);
  byId('bill-why').replaceChildren(...answer.shadow_traffic.slice(0, 5).map((s) => element('li', dollars(s.billed) + ' by key ' +
    (s.api_key_name || s.api_key || '(none)') + ' of project ' + (s.project_name || s.project || '(none)') + ': billed, never seen here')),
  ...answer.price_suggestions.slice(0, 5).map((p) => element('li', p.model + ' ' + p.meter + ': billed at ' + unitPrice(p, p.observed_unit_price) +
    ', the catalogue says ' + unitPrice(p, p.book_unit_price))));
}

// Nobody is shown what was on the page before.
function failed(e) {
  if (!(e instanceof SignedOut)) {
    say(e.message, true);
    return;
  }
  byId('detail').close();
  for (const id of ['totals', 'by-model', 'bill', 'requests']) byId(id).hidden = true;
  start().then(() => say('Your session has ended; sign in again.', true), () => say('The server cannot be reached; load this page again.', true));
}

async function refresh() {
  try {
    const [report, logs] = await Promise.all([get('/tollgate/v1/cost?group_by=model&since=30d'), get('/tollgate/v1/logs?limit=50')]);
    showTotals(report.total);
    fill('by-model', report.data, (g) => [[g.model || '(no model)'], [count(g.requests), 'n'], [count(g.input_tokens), 'n'],
      [count(g.output_tokens), 'n'], [g.cost_usd + (g.unpriced ? ' + ' + g.unpriced + ' unpriced' : ''), 'n']]);
    fill('requests', logs.data, requestCells, openRequest, (r) => r.discarded && 'pale');
    await showBill();
    say(logs.data.length ? 'As of ' + new Date().toLocaleTimeString() + '. Select a request to see its bodies.'
      : 'No requests yet. Point an OpenAI client at ' + location.origin + '/v1 with a key.');
  } catch (e) {
    failed(e);
  }
}

// ---- who is here ----

// A way in for those who have a key: the first owner, and programs' people.
function keyForm() {
  const form = signIn.formOf([signIn.field('A key of the workspace', { name: 'key', type: 'password', placeholder: 'tg-…', autocomplete: 'off' })],
    'Use this key', async (given) => {
      const answer = await fetch('/tollgate/v1/session', { headers: { Authorization: 'Bearer ' + given.key.trim() } });
      if (answer.ok) sessionStorage.setItem('key', given.key.trim());
      return { ok: answer.ok, status: answer.status, body: await answer.json() };
    }, start);
  return signIn.make('details', {}, signIn.make('summary', {}, 'Use a key instead'),
    signIn.make('p', { class: 'note' }, "The owner's key is in the file admin.key of the data directory. It stays in this tab."), form);
}

async function start() {
  const me = sessionStorage.getItem('key') ? await get('/tollgate/v1/session').catch(() => null) : await signIn.who();
  if (!me) {
    sessionStorage.removeItem('key');
    byId('signed-in').hidden = true;
    await signIn.show(byId('sign-in'), '/console/', start, keyForm());
    return;
  }
  byId('sign-in').hidden = true;
  byId('signed-in').hidden = false;
  byId('who').textContent = (me.member ? me.member.name : me.name) + ', ' + me.workspace;
  await refresh();
}

byId('signed-in').addEventListener('submit', (e) => {
  e.preventDefault();
  refresh();
});
byId('bill').addEventListener('change', () => showBill().catch(failed));
byId('sign-out').addEventListener('click', async () => {
  if (sessionStorage.getItem('key')) sessionStorage.removeItem('key');
  else await signIn.signOut();
  location.reload();
});
start().catch(() => say('The server cannot be reached; check the network and load this page again.', true));
