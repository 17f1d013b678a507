// SPDX-License-Identifier: Apache-2.0
// Signing in, for every page of the console: by password, at a provider, with an invitation. The session is in a
// cookie that no script sees.
'use strict';

const signIn = (() => {
  const make = (name, attributes, ...children) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };

  // {ok, status, body}; what is no JSON has the body {}.
  async function call(method, path, body) {
    const answer = await fetch(path, { method, headers: body ? { 'Content-Type': 'application/json' } : {},
      body: body && JSON.stringify(body) });
    const text = await answer.text();
    let parsed = {};
    try { parsed = text ? JSON.parse(text) : {}; } catch { /* as above */ }
    return { ok: answer.ok, status: answer.status, body: parsed };
  }

  // What went wrong and what to do: the particular words, which stand in brackets behind the general ones.
  function sentence(answer) {
    const text = answer.body.error && answer.body.error.message;
    if (!text) return 'The server answered with status ' + answer.status + '; try again.';
    const detail = /^[^(]*\(([\s\S]+)\)$/.exec(text);
    return detail ? detail[1].charAt(0).toUpperCase() + detail[1].slice(1) : text;
  }

  // Who is signed in with a cookie; null: nobody.
  async function who() {
    const answer = await call('GET', '/tollgate/v1/session');
    return answer.ok && answer.body.kind === 'session' ? answer.body : null;
  }

  const signOut = () => call('DELETE', '/tollgate/v1/session');

  function field(label, attributes) {
    const input = make('input', { id: 'f-' + attributes.name, required: '', ...attributes });
    return make('label', { for: input.id }, label, input);
  }

  // A form whose answer to a failure is a sentence below its fields. `send` gives the answer of a call.
  function formOf(fields, button, send, done) {
    const alert = make('p', { class: 'bad', role: 'alert' });
    const submit = make('button', { type: 'submit' }, button);
    const form = make('form', { class: 'stack' }, ...fields, alert, submit);
    form.addEventListener('submit', async (e) => {
      e.preventDefault();
      submit.disabled = true;
      alert.textContent = '';
      try {
        const answer = await send(Object.fromEntries(new FormData(form)));
        if (answer.ok) await done(alert, answer);
        else alert.textContent = sentence(answer);
      } catch {
        alert.textContent = 'The server cannot be reached; check the network and try again.';
      }
      submit.disabled = false;
    });
    return form;
  }

  // After the right password: somebody who is in no workspace has nothing to see.
  const entered = (done) => async (alert) => {
    if (await who()) done();
    else alert.textContent = 'You are known here, but you are in no workspace yet; ask an admin to put you into one.';
  };

  const passwordForm = (done) => formOf([
    field('E-mail address', { name: 'email', type: 'email', autocomplete: 'username' }),
    field('Password', { name: 'password', type: 'password', autocomplete: 'current-password' }),
  ], 'Sign in', (given) => call('POST', '/tollgate/v1/session', given), entered(done));

  const invitationForm = (secret, done) => formOf([
    field('Your name', { name: 'name', autocomplete: 'name', maxlength: '100' }),
    field('A password, at least 12 characters', { name: 'password', type: 'password', autocomplete: 'new-password', minlength: '12' }),
  ], 'Accept the invitation', async (given) => {
    const answer = await call('POST', '/tollgate/v1/invitations/accept', { secret, ...given });
    if (!answer.ok) return answer;
    history.replaceState(null, '', location.pathname);
    const inside = await call('POST', '/tollgate/v1/session', { email: answer.body.email, password: given.password });
    return inside.ok ? inside : { ...inside, body: { error: { message: 'The invitation is accepted. You have a password here ' +
      'already: load this page again and sign in with that.' } } };
  }, entered(done));

  const providerButton = (oidc, returnTo) => make('a', { class: 'button wide',
    href: oidc.start + '?return_to=' + encodeURIComponent(returnTo) }, 'Sign in with ' + oidc.name);

  // "#/invitation/ti-…", where an invitation's link leads.
  const invitation = () => (location.hash.match(/^#\/invitation\/(ti-[0-9A-Za-z]+)$/) || [])[1];

  // Fills `box` with every way in. `done` is called once somebody is signed in; `others` are further elements.
  async function show(box, returnTo, done, ...others) {
    const answer = await call('GET', '/tollgate/v1/sign-in');
    const ways = answer.ok ? answer.body : { password: true, oidc: null };
    const secret = invitation();
    const parts = [];
    if (secret) {
      parts.push(make('h2', {}, 'You are invited'));
      if (ways.oidc) {
        parts.push(make('p', {}, 'Sign in with the account whose address was invited; the invitation is accepted with it.'),
          providerButton(ways.oidc, '/console/'));
      }
      if (ways.password) {
        if (ways.oidc) parts.push(make('p', { class: 'or' }, 'or'));
        parts.push(invitationForm(secret, done));
      }
    } else {
      parts.push(make('h2', {}, 'Sign in'));
      if (ways.oidc) parts.push(providerButton(ways.oidc, returnTo));
      if (ways.oidc && ways.password) parts.push(make('p', { class: 'or' }, 'or'));
      if (ways.password) parts.push(passwordForm(done));
    }
    box.replaceChildren(...parts, ...others);
    box.hidden = false;
    const first = box.querySelector('a.button, input');
    if (first) first.focus();
  }

  return { make, call, sentence, who, signOut, field, formOf, show };
})();

// The page on which a person lets a program in (RFC 8628).
if (document.body.dataset.page === 'device') {
  const { make } = signIn;
  const box = document.getElementById('box');
  const given = () => new URLSearchParams(location.search).get('user_code') || '';

  const finish = (title, text) => box.replaceChildren(make('h2', {}, title), make('p', { role: 'status' }, text));

  async function answer(ask, allow, alert) {
    const said = await signIn.call('POST', '/tollgate/v1/device', { user_code: ask.user_code, allow });
    if (!said.ok) alert.textContent = signIn.sentence(said);
    else if (allow) finish('Signed in', ask.client + ' is signed in as you. You can close this page and go back to it.');
    else finish('Refused', 'Nothing was let in. If you did not start this sign-in, nothing more is to be done.');
  }

  function confirm(ask, me) {
    const alert = make('p', { class: 'bad', role: 'alert' });
    const yes = make('button', { type: 'button', class: 'main' }, 'Allow');
    const no = make('button', { type: 'button' }, 'Refuse');
    yes.addEventListener('click', () => answer(ask, true, alert));
    no.addEventListener('click', () => answer(ask, false, alert));
    const facts = make('dl', {});
    for (const [name, value] of [['Program', ask.client], ['Code', ask.user_code], ['Asked from', ask.asked_from],
      ['Asked at', ask.asked_at.replace('T', ' ').slice(0, 19) + ' UTC'], ['You are', me.member ? me.member.name : me.name]]) {
      facts.append(make('dt', {}, name), make('dd', {}, value));
    }
    box.replaceChildren(make('h2', {}, 'Let this program in?'), facts,
      make('p', {}, 'It will be able to do all that you can do here. Allow it only if you started it yourself just now, and ' +
        'it shows the same code.'), alert, make('p', { class: 'actions' }, yes, no));
    no.focus();
  }

  function askForCode(me) {
    const code = signIn.field('The code that the program shows', { name: 'user_code', autocomplete: 'off', spellcheck: 'false',
      placeholder: 'XXXX-XXXX', maxlength: '20' });
    code.querySelector('input').value = given();
    box.replaceChildren(make('h2', {}, 'Let a program in'), signIn.formOf([code], 'Continue',
      (f) => signIn.call('GET', '/tollgate/v1/device?user_code=' + encodeURIComponent(f.user_code)),
      async (alert, found) => confirm(found.body, me)));
    box.querySelector(given() ? 'button' : 'input').focus();
  }

  const start = async () => {
    const me = await signIn.who();
    if (me) askForCode(me);
    else await signIn.show(box, location.pathname + location.search, start);
  };
  start().catch(() => finish('The server cannot be reached', 'Check the network, and load this page again.'));
}
