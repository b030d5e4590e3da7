import assert from 'node:assert/strict';
import test from 'node:test';
import { Onward, OnwardRefusal } from '../lib/index.js';
import { FACTS, KEY, KEY_RECORD, RULES, SIGNED, ZONE } from './support.js';

const onward = new Onward({ records: ZONE + KEY_RECORD });
const rules = onward.rules(RULES);
test.after?.(() => onward.close());

// ---- Rules ----------------------------------------------------------------------

test('routes', () => {
    const one = rules.route('one@zone.example');
    assert.deepEqual([one.kind, one.match, one.destinations, one.rule],
        ['forward', 'exact', ['box@one.example'], 0]);
    assert.deepEqual(rules.route('no@zone.example').reply,
        { code: 550, enhanced: '5.7.1', text: 'not wanted' });
    assert.equal(rules.route('code@zone.example').handler, 'robot');
    assert.equal(rules.route('x@elsewhere.example').reason, 'no-zone');
    assert.equal(rules.route('nobody@zone.example').reply.code, 550);
    const revoked = rules.route('one@zone.example', { verified: () => false });
    assert.equal(revoked.reason, 'not-verified');
});

test('conditions see the facts', () => {
    const rule = (matchers, type = 'drop') =>
        ({ matchers: [{ type: 'literal', field: 'to', value: 'a@c.example' }, ...matchers],
            actions: [{ type }] });
    const r = onward.rules({ version: 1, zones: [{ name: 'c.example', rules: [
        rule([{ type: 'contains', field: 'header', name: 'Subject', value: 'win' },
            { type: 'at_least', field: 'size', value: 10 },
            { type: 'network', field: 'client', value: '192.0.2.0/24' },
            { type: 'literal', field: 'dmarc', value: 'fail' }])] }], addresses: [] });
    const facts = { fields: [{ name: 'subject', value: 'You win \u00e4' }], size: 11,
        ip: '192.0.2.7', verdict: { dmarc: 'fail' } };
    assert.equal(r.route('a@c.example', facts).kind, 'drop');
    assert.equal(r.route('a@c.example', { ...facts, ip: '198.51.100.1' }).kind, 'reject');
    assert.equal(r.route('a@c.example').kind, 'need-message');
    r.close();
    assert.throws(() => r.route('a@c.example'), { code: 'CLOSED' });
});

test('rules that are wrong say where', () => {
    assert.throws(() => onward.rules('{"version": 1,\n"zones": [{"name": 5}]}'),
        { code: 'ONWARD_ESYNTAX', message: /line 2: zones\[0\].*expected a string/ });
});

// ---- Events ---------------------------------------------------------------------

function receive(handler, more = {}) {
    const delivered = [];
    const submitted = [];
    return onward.receive(SIGNED, { ...FACTS, rules,
        hostname: 'mx.zone.example', to: 'code@zone.example', handlers: { robot: handler },
        deliver: (d) => { delivered.push(d); }, submit: (s) => { submitted.push(s); },
        ...more }).then((end) => ({ ...end, delivered, submitted }));
}

test('a forward without a handler', async () => {
    const end = await receive(undefined, { handlers: {}, to: 'one@zone.example',
        seal: { key: KEY, domain: 'zone.example', selector: 's' },
        deliver: (d) => {
            assert.deepEqual([d.to, d.domain], ['box@one.example', 'one.example']);
            assert.match(d.raw.toString(), /^ARC-Seal: [^]*Received: by onward\r\n/);
            assert.ok(d.raw.toString().endsWith(SIGNED.toString()));
            return '250 2.0.0 taken';
        } });
    assert.deepEqual([end.code, end.text, end.status], [250, 'taken', 'Forwarded']);
    assert.equal(end.verdict.dmarc.result, 'pass');
});

test('a handler hears, forwards, replies, sends', async () => {
    const end = await receive(async (event) => {
        assert.deepEqual([event.from, event.to, event.handler, event.canBeForwarded,
            event.canBeReplied, event.verdict.dmarc.result],
        ['alice@example.com', 'code@zone.example', 'robot', true, true, 'pass']);
        assert.deepEqual(event.raw, SIGNED);
        assert.ok(event.fields.some((f) => f.name === 'Subject'));
        await event.forward('box@one.example', { 'X-Ticket': '7' });
        const { messageId } = await event.reply(
            { from: 'code@zone.example', subject: 'Re', text: 'ok' });
        assert.match(messageId, /@zone\.example$/);
        await event.send('From: code@zone.example\r\nTo: box@two.example\r\n' +
            'Message-ID: <n@zone.example>\r\n\r\nhello\r\n');
    });
    assert.deepEqual([end.code, end.status], [250, 'Forwarded']);
    assert.deepEqual(end.delivered.map((d) => d.to), ['box@one.example']);
    assert.match(end.delivered[0].raw.toString(), /^X-Ticket: 7\r\n/);
    assert.deepEqual(end.submitted.map((s) => [s.kind, s.from, s.to]), [
        ['reply', 'code@zone.example', ['alice@example.com']],
        ['send', 'code@zone.example', ['box@two.example']]]);
    assert.match(end.submitted[0].raw.toString(), /Auto-Submitted: auto-replied\r\n/);
});

test('a handler that does nothing has taken it', async () => {
    const end = await receive(() => {});
    assert.deepEqual([end.code, end.status, end.reason], [250, 'Handled', 'handled']);
});

test('a handler rejects', async () => {
    const end = await receive((event) => event.reject('555 5.7.1 not today'));
    assert.deepEqual([end.code, end.enhanced, end.text, end.status],
        [555, '5.7.1', 'not today', 'Rejected']);
});

const refused = { 'forward to nobody': ['E_DESTINATION_NOT_VERIFIED', (e) => e.forward('x@y.example')],
    'forward twice': ['E_DUPLICATE', async (e) => {
        await e.forward('box@one.example');
        await e.forward('box@one.example');
    }],
    'forward a field': ['E_HEADER_NOT_ALLOWED', (e) => e.forward('box@one.example', { Received: 'x' })],
    'reply twice': [/^E_REPLY/, async (e) => {
        await e.reply({ from: 'code@zone.example', text: '1' });
        await e.reply({ from: 'code@zone.example', text: '2' });
    }],
    'send as somebody': ['E_SENDER_DOMAIN_NOT_AVAILABLE', (e) => e.send(
        { from: 'a@elsewhere.example', to: 'box@one.example', text: 'x' })] };
for (const [name, [code, run]] of Object.entries(refused)) {
    test(`${name}: the sender comes again`, async () => {
        const end = await receive(run);
        assert.deepEqual([end.code, end.status], [451, 'Error']);
        const [error] = end.handlerErrors;
        assert.ok(error instanceof OnwardRefusal, error);
        assert.match(error.code, code instanceof RegExp ? code : new RegExp(`^${code}$`));
    });
}

test('a refusal that nobody awaits counts all the same', async () => {
    const end = await receive((event) => { event.forward('x@y.example'); });
    assert.deepEqual([end.code, end.handlerErrors[0].code],
        [451, 'E_DESTINATION_NOT_VERIFIED']);
});

test('a next hop that refuses can be caught', async () => {
    const deliver = (d) => d.to === 'box@one.example' ? '550 5.1.1 nobody' : undefined;
    const end = await receive(async (event) => {
        await assert.rejects(event.forward('box@one.example'),
            { name: 'OnwardRefusal', what: '550 5.1.1 nobody' });
        await event.forward('box@two.example');
    }, { deliver });
    assert.deepEqual([end.code, end.status], [250, 'Forwarded']);
    const unseen = await receive((event) => { event.forward('box@one.example'); }, { deliver });
    assert.deepEqual([unseen.code, unseen.status], [550, 'Delivery failed']);
});

test('one that throws, one that never settles, one that is not there', async () => {
    const thrown = await receive(() => { throw new Error('no desk \0 \ud800'); });
    assert.deepEqual([thrown.code, thrown.handlerErrors[0].message],
        [451, 'no desk \0 \ud800']);
    let kept;
    const late = await receive((event) => { kept = event; return new Promise(() => {}); },
        { handlerTimeoutMs: 50 });
    assert.deepEqual([late.code, late.status], [451, 'Error']);
    // What is over stays over.
    assert.throws(() => kept.reject(), { code: 'E_EVENT_OVER' });
    await assert.rejects(kept.forward('box@one.example'), { code: 'E_EVENT_OVER' });
    const absent = await receive(() => {}, { handlers: {} });
    assert.deepEqual([absent.code, absent.enhanced], [451, '4.3.5']);
});

test('what the host throws is what receive() throws', async () => {
    const boom = new Error('disk full');
    await assert.rejects(receive((e) => e.forward('box@one.example'),
        { deliver: () => { throw boom; } }), boom);
    await assert.rejects(receive((e) => e.reply({ from: 'code@zone.example', text: 'x' }),
        { submit: async () => { throw boom; } }), boom);
    await assert.rejects(receive((e) => e.forward('box@one.example'),
        { deliver: () => 'maybe' }), { name: 'TypeError', message: /"maybe".*a reply/ });
    await assert.rejects(receive(() => {}, { verified: () => { throw boom; },
        to: 'one@zone.example' }), { code: 'CALLBACK', cause: boom });
});

test('close() in the middle ends it', async () => {
    const other = new Onward({ records: ZONE });
    const waits = other.receive(SIGNED, { ...FACTS, hostname: 'mx.zone.example',
        rules: other.rules(RULES), to: 'code@zone.example', deliver: () => {},
        handlers: { robot: async (event) => {
            other.close();
            await assert.rejects(event.forward('box@one.example'), { code: 'CLOSED' });
        } } });
    await assert.rejects(waits, { code: 'CLOSED' });
});
