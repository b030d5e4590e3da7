import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import test from 'node:test';
import { nodeDns } from '../lib/dns.js';
import { Onward } from '../lib/index.js';
import { FACTS, KEY, KEY_RECORD, SIGNED, ZONE } from './support.js';

const withOnward = (options, run) => async () => {
    const onward = new Onward(options);
    try {
        await run(onward);
    } finally {
        onward.close();
    }
};

test('a good message passes', withOnward({ records: ZONE }, async (onward) => {
    const v = await onward.verify(SIGNED, { ...FACTS, authservId: 'mx.example.net' });
    assert.equal(v.spf.mailfrom.result, 'pass');
    assert.deepEqual(v.dkim.map((s) => [s.result, s.d, s.s]),
        [['pass', 'example.com', 'sel']]);
    assert.equal(v.dmarc.result, 'pass');
    assert.equal(v.arc.result, 'none');
    assert.equal(v.authenticated, true);
    assert.equal(v.authorDomain, 'example.com');
    assert.match(v.authres, /^mx\.example\.net;/);
}));

test('a changed one fails', withOnward({ records: ZONE }, async (onward) => {
    const changed = Buffer.concat([SIGNED, Buffer.from('more\r\n')]);
    const v = await onward.verify(changed, { ...FACTS, ip: '198.51.100.1' });
    assert.equal(v.dkim[0].result, 'fail');
    assert.notEqual(v.spf.mailfrom.result, 'pass');
    assert.equal(v.dmarc.result, 'fail');
}));

test('many at a time, and without facts', withOnward({ records: ZONE }, async (onward) => {
    const all = await Promise.all(Array.from({ length: 50 },
        (_, i) => onward.verify(SIGNED, i % 2 === 0 ? FACTS : undefined)));
    all.forEach((v, i) => {
        assert.equal(v.dkim[0].result, 'pass');
        assert.equal(v.spf === null, i % 2 === 1);
    });
}));

const ANSWERS = {
    'lines': () => 'example.com. 60 IN TXT "v=spf1 ip4:192.0.2.1 -all"',
    'later': async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return 'example.com. 60 IN TXT "v=spf1 ip4:192.0.2.1 -all"';
    },
};
for (const [name, dns] of Object.entries(ANSWERS)) {
    test(`DNS by a function: ${name}`, withOnward({ dns }, async (onward) => {
        assert.equal((await onward.spf(FACTS)).result, 'pass');
    }));
}

const SAYS = [
    ['no such name', () => null, 'none'],
    ['no such record', () => '', 'none'],
    ['ENOTFOUND', () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })), 'none'],
    ['ETIMEOUT', () => Promise.reject(Object.assign(new Error(), { code: 'ETIMEOUT' })), 'temperror'],
    ['nonsense', () => Buffer.from('not a packet'), 'temperror'],
];
for (const [name, dns, result] of SAYS) {
    test(`DNS says ${name}`, withOnward({ dns }, async (onward) => {
        assert.equal((await onward.spf(FACTS)).result, result);
    }));
}

/** A name server that knows one TXT record of two strings. */
function nameServer() {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (query, from) => {
        const end = query.indexOf(0, 12) + 5;
        const question = query.subarray(12, end);
        const strings = ['v=spf1 ip4:192.0.', '2.1 -all'].map((s) =>
            Buffer.concat([Buffer.from([s.length]), Buffer.from(s)]));
        const data = Buffer.concat(strings);
        const head = Buffer.from([query[0], query[1], 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        const answer = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, data.length]);
        socket.send(Buffer.concat([head, question, answer, data]), from.port, from.address);
    });
    return new Promise((resolve) =>
        socket.bind(0, '127.0.0.1', () => resolve(socket)));
}

test('DNS by node:dns', async () => {
    const server = await nameServer();
    const onward = new Onward({ servers: [`127.0.0.1:${server.address().port}`] });
    try {
        const found = await onward.spf(FACTS);
        assert.deepEqual([found.result, found.mechanism], ['pass', 'ip4:192.0.2.1']);
    } finally {
        onward.close();
        server.close();
    }
});

test('DMARC of what passed', withOnward({ records: ZONE }, async (onward) => {
    const good = await onward.dmarc({ author: 'example.com', dkim: ['example.com'] });
    assert.deepEqual([good.result, good.dkimAligned, good.spfAligned],
        ['pass', true, false]);
    const bad = await onward.dmarc({ author: 'example.com', spf: ['evil.example'],
        dmarcReject: 'service' });
    assert.deepEqual([bad.result, bad.policy, bad.disposition],
        ['fail', 'reject', 'reject']);
    const none = await onward.dmarc({ author: 'nothing.example' });
    assert.deepEqual([none.result, none.policy], ['none', null]);
}));

const BODY = 'From: ann@zone.example\r\nTo: bob@one.example\r\nSubject: hi\r\n' +
    'Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@zone.example>\r\n\r\nHello.\r\n';

test('what it signs, dkimpy and itself verify',
    withOnward({ records: KEY_RECORD }, async (onward) => {
        const rsa = execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt',
            'rsa_keygen_bits:2048'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
        const der = execFileSync('openssl', ['pkey', '-pubout', '-outform', 'DER'],
            { input: rsa });
        const record = `v=DKIM1; k=rsa; p=${der.toString('base64')}`;
        const signed = await onward.sign(BODY, [
            { key: KEY, domain: 'zone.example', selector: 's', expire: 86400 },
            { key: rsa, domain: 'zone.example', selector: 'r' }]);
        assert.ok(signed.toString().endsWith(BODY));
        const v = await onward.verify(signed);
        assert.deepEqual(v.dkim.map((s) => s.result), ['pass', 'permerror']);
        const done = spawnSync('/usr/bin/python3', ['-c', `
import sys
try:
    import dkim
except ImportError:
    sys.exit(77)
sys.exit(not dkim.DKIM(sys.stdin.buffer.read()).verify(
    1, lambda *a, **k: sys.argv[1].encode()))`, record],
        { input: signed });
        assert.ok([0, 77].includes(done.status), done.stderr?.toString());
    }));

test('what it seals passes at the next hop',
    withOnward({ records: ZONE + KEY_RECORD }, async (onward) => {
        const sealing = { key: KEY, domain: 'zone.example', selector: 's' };
        const once = await onward.seal(SIGNED, sealing, FACTS);
        assert.match(once.toString(), /^ARC-Seal: [^]*cv=none[^]*localhost;[^]*dkim=pass/);
        assert.equal((await onward.verify(once)).arc.result, 'pass');
        const twice = await onward.seal(once, sealing, FACTS);
        assert.deepEqual((({ result, instances }) => [result, instances])(
            (await onward.verify(twice)).arc), ['pass', 2]);
        // A broken chain gets one more set that says so, and then none.
        const broken = twice.toString().replace('t=', 't=1');
        const failed = await onward.seal(broken, sealing, FACTS);
        assert.match(failed.toString(), /cv=fail/);
        assert.equal((await onward.seal(failed, sealing, FACTS)).toString(),
            failed.toString());
    }));

test('octets of a TXT record that are no ASCII come as they are', async () => {
    const text = Buffer.from('v=DKIM1; n=\u00fc\n"', 'utf8');
    const server = dgram.createSocket('udp4');
    server.on('message', (query, from) => {
        const question = query.subarray(12, query.indexOf(0, 12) + 5);
        const head = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, text.length + 1,
            text.length]);
        server.send(Buffer.concat([head, question, record, text]), from.port, from.address);
    });
    await new Promise((resolve) => { server.bind(0, '127.0.0.1', resolve); });
    try {
        const ask = nodeDns([`127.0.0.1:${server.address().port}`]);
        assert.equal(await ask('x.example', 'TXT'),
            'x.example. 60 IN TXT "v=DKIM1; n=\\195\\188\\010\\034"');
    } finally {
        server.close();
    }
});
