// Bad input gives an Error, and the process lives.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { Onward, OnwardError, crlf, requires } from '../lib/index.js';
import { FACTS, KEY, RULES, SIGNED, ZONE } from './support.js';

const TYPES = [undefined, null, 5, NaN, 10n, true, Symbol('x'), {}, [], () => {},
    new Date(), new Map(), 'text', '', 'a\0b', '\ud800', '\udc00x', Buffer.alloc(0),
    Buffer.from([0]), new Uint8Array(3), new Float64Array(3), new ArrayBuffer(4),
    Object.create(null), new Proxy({}, {}), { length: 5 }];

/** Whatever it is: a result or an Error. */
async function survives(run) {
    try {
        await run();
    } catch (error) {
        assert.ok(error instanceof Error, String(error));
    }
}

test('each argument of each call, each type', async () => {
    const onward = new Onward({ records: ZONE });
    const rules = onward.rules(RULES);
    const d = () => undefined;
    const calls = [
        (x) => onward.verify(x), (x) => onward.verify(SIGNED, x),
        ...Object.keys(FACTS).map((key) => (x) => onward.verify(SIGNED, { ...FACTS, [key]: x })),
        (x) => onward.verify(SIGNED, { trustedSealers: x }),
        (x) => onward.verify(SIGNED, { trustedSealers: [x] }),
        (x) => onward.verify(SIGNED, { timeoutMs: x }),
        (x) => onward.verify(SIGNED, { dmarcReject: x }),
        (x) => onward.spf(x), (x) => onward.spf({ ip: x }), (x) => onward.spf({ ip: '::1', from: x }),
        (x) => onward.dmarc(x), (x) => onward.dmarc({ author: x }),
        (x) => onward.dmarc({ author: 'example.com', spf: x }),
        (x) => onward.dmarc({ author: 'example.com', dkim: [x] }),
        (x) => onward.sign(x, { key: KEY, domain: 'a.example', selector: 's' }),
        (x) => onward.sign(SIGNED, x), (x) => onward.sign(SIGNED, [x]),
        ...['key', 'domain', 'selector', 'identity', 'fields', 'listing', 'time', 'expire']
            .flatMap((key) => [(x) => onward.sign(SIGNED,
                { key: KEY, domain: 'a.example', selector: 's', [key]: x }),
            (x) => onward.seal(SIGNED,
                { key: KEY, domain: 'a.example', selector: 's', [key]: x })]),
        (x) => onward.seal(x), (x) => onward.seal(SIGNED, x),
        (x) => onward.parse(x), (x) => onward.build(x),
        ...['from', 'sender', 'to', 'subject', 'text', 'html', 'fields', 'attachments',
            'messageId', 'date', 'inReplyTo'].flatMap((key) => [
            (x) => onward.build({ from: 'a@b.c', [key]: x }),
            (x) => onward.build({ from: 'a@b.c', [key]: [x] })]),
        ...['content', 'type', 'fileName', 'contentId', 'place'].map((key) => (x) =>
            onward.build({ from: 'a@b.c', attachments: [{ content: 'x', [key]: x }] })),
        (x) => onward.rules(x), (x) => rules.route(x),
        ...['sender', 'fields', 'attachments', 'verdict', 'size', 'score', 'tls', 'ip',
            'verified'].map((key) => (x) => rules.route('one@zone.example', { [key]: x })),
        (x) => onward.receive(x), (x) => onward.receive(SIGNED, x),
        ...['rules', 'from', 'to', 'ip', 'helo', 'hostname', 'handlers', 'deliver', 'submit',
            'verified', 'seal', 'received', 'allowUnauthenticated', 'handlerTimeoutMs',
            'dmarcReject'].map((key) => (x) => onward.receive(SIGNED,
            { rules, to: 'one@zone.example', deliver: d, [key]: x })),
        (x) => crlf(x),
        (x) => new Onward(x).close(), (x) => new Onward({ records: x }).close(),
        (x) => new Onward({ records: '', now: x }).close(),
        (x) => new Onward({ records: '', dns: x }).close(),
        (x) => new Onward({ records: '', log: x }).close(),
        (x) => new Onward({ library: x }).close(),
        (x) => new Onward({ declarations: x }).close(),
    ];
    for (const call of calls) {
        for (const x of TYPES)
            await survives(() => call(x));
    }
    // And it works as before.
    assert.equal((await onward.verify(SIGNED, FACTS)).dmarc.result, 'pass');
    onward.close();
});

test('what is wrong is named', async () => {
    const onward = new Onward({ records: ZONE });
    const cases = [
        [() => onward.verify(5), /message: a number, expected a Buffer/],
        [() => onward.verify(SIGNED, { from: 'a\0@b.c' }), /from: a NUL/],
        [() => onward.verify(SIGNED, { helo: '\ud800' }), /helo: a lone surrogate/],
        [() => onward.verify('\udfff'), /message: a lone surrogate/],
        [() => onward.verify(SIGNED, { IP: '::1' }), /no such option "IP", expected ip/],
        [() => onward.spf({ ip: '300.1.1.1' }), /ip: "300\.1\.1\.1", expected an IP address/],
        [() => onward.build({ from: 'a@b.c', subject: '\ud83d' }), /subject: a lone surrogate/],
        [() => onward.receive(SIGNED, { rules: {} }), /rules: an object, expected the rules/],
        [() => onward.sign(SIGNED, { key: 'no key', domain: 'a.b', selector: 's' }), /^key: /],
    ];
    for (const [run, message] of cases)
        await assert.rejects(async () => run(), { message });
    onward.close();
});

test('use after close', async () => {
    const onward = new Onward({ records: ZONE });
    const rules = onward.rules(RULES);
    const waits = onward.verify(SIGNED, FACTS);
    onward.close();
    onward.close();
    const closed = { name: 'OnwardError', code: 'CLOSED' };
    await assert.rejects(waits, closed);
    const key = { key: KEY, domain: 'a.example', selector: 's' };
    for (const run of [() => onward.verify(SIGNED), () => onward.spf({ ip: '::1' }),
        () => onward.dmarc({ author: 'a.b' }), () => onward.sign(SIGNED, key),
        () => onward.seal(SIGNED, key), () => onward.parse(SIGNED),
        () => onward.build({ from: 'a@b.c' }), () => onward.rules(RULES),
        () => rules.route('one@zone.example'),
        () => onward.receive(SIGNED, { rules, to: 'one@zone.example', deliver() {} })])
        await assert.rejects(async () => run(), closed);
    rules.close();
    rules.close();
});

test('callbacks that throw', async () => {
    const boom = new Error('boom');
    const thrown = { name: 'OnwardError', code: 'CALLBACK', cause: boom };
    const dns = new Onward({ dns: () => { throw boom; } });
    await assert.rejects(dns.verify(SIGNED, FACTS), thrown);
    await assert.rejects(dns.spf(FACTS), thrown);
    dns.close();
    const late = new Onward({ dns: async () => { throw boom; } });
    await assert.rejects(late.spf(FACTS), thrown);
    late.close();
    const wrong = new Onward({ dns: () => 5 });
    await assert.rejects(wrong.spf(FACTS), { code: 'CALLBACK' });
    wrong.close();
    const now = new Onward({ records: ZONE, now: () => { throw boom; } });
    await assert.rejects(now.verify(SIGNED, FACTS), thrown);
    assert.throws(() => now.build({ from: 'a@b.c' }), thrown);
    now.close();
    let logged = 0;
    const log = new Onward({ records: ZONE, log: () => { logged++; throw boom; } });
    await survives(() => log.verify(SIGNED, FACTS));
    await survives(() => log.parse(SIGNED));
    await survives(() => log.close());
    for (const dns of [() => { throw boom; }, () => Buffer.from('junk'), () => '!',
        () => Promise.reject(Object.assign(new Error(), { code: 'ETIMEOUT' }))]) {
        const both = new Onward({ dns, log: () => { logged++; throw boom; } });
        await survives(() => both.verify(SIGNED, FACTS));
        await survives(() => both.receive(SIGNED, { ...FACTS, rules: both.rules(RULES),
            to: 'code@zone.example', deliver: () => undefined, submit: () => undefined,
            handlers: { robot: (event) => event.forward('box@one.example') } }));
        await survives(() => both.close());
    }
    assert.ok(logged > 0);
    const rules = new Onward({ records: '' });
    assert.throws(() => rules.rules(RULES).route('one@zone.example',
        { verified: () => { throw boom; } }), thrown);
    rules.close();
    // Nor may they pull the ground from under the library.
    for (const name of ['now', 'log']) {
        let tried = 0;
        const self = new Onward({ records: ZONE, [name]: () => {
            tried++;
            self?.close();
        } });
        await survives(() => self.verify(SIGNED, FACTS));
        await survives(() => self.receive(SIGNED, { to: 'one@zone.example', ip: '::1',
            rules: self.rules(RULES), deliver: () => undefined }));
        assert.ok(name === 'log' || tried > 0);
        self.close();
    }
    const own = new Onward({ records: '' });
    const closing = own.rules(RULES);
    for (const target of [own, closing])
        assert.throws(() => closing.route('one@zone.example', { verified: () => target.close() }),
            { code: 'CALLBACK' });
    own.close();
});

test('forgotten objects are freed', () => {
    const at = (name) => JSON.stringify(new URL(`../lib/${name}`, import.meta.url).href);
    const done = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', `
        import { Onward } from ${at('index.js')};
        import { openLibrary } from ${at('library.js')};
        const freed = { onward_ctx_free: 0, onward_ruleset_free: 0 };
        const lib = openLibrary();
        const call = lib.call.bind(lib);
        lib.call = (name, ...args) => {
            if (name in freed)
                freed[name]++;
            return call(name, ...args);
        };
        for (let i = 0; i < 200; i++) {
            const onward = new Onward({ records: 'a. A 192.0.2.1' });
            onward.rules({ version: 1, zones: [], addresses: [] });
            await onward.spf({ ip: '192.0.2.1', from: 'x@a' });
        }
        const isDone = () => Object.values(freed).every((n) => n >= 195);
        for (let i = 0; i < 200 && !isDone(); i++) {
            gc();
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
        process.exitCode = isDone() ? 0 : 1;
        console.log(freed);`], { encoding: 'utf8', timeout: 60000 });
    assert.equal(done.status, 0, done.stdout + done.stderr);
});

test('no library, another library, an older one', () => {
    assert.throws(() => new Onward({ library: '/nowhere/libonward.so' }),
        { name: 'OnwardError', code: 'NOT_FOUND' });
    assert.throws(() => new Onward({ declarations: '/nowhere/onward.ffi.json' }),
        { code: 'NOT_FOUND' });
    assert.throws(() => new Onward({ library: 'libc.so.6' }), { code: 'VERSION' });
    const old = process.env.ONWARD_TEST_OLD; // says that it is 0.0.9
    if (old !== undefined)
        assert.throws(() => new Onward({ library: old }), {
            code: 'VERSION', message: `libonward 0.0.9, expected ${requires} or newer` });
    assert.ok(new OnwardError('X', 'y') instanceof Error);
});
