import assert from 'node:assert/strict';
import test from 'node:test';
import PostalMime from 'postal-mime';
import { Onward } from '../lib/index.js';

const onward = new Onward({ records: '' });
test.after?.(() => onward.close());

const DRAFT = {
    from: { name: 'Ann \u00c4', address: 'ann@example.com' },
    to: ['bob@example.org', { name: 'C, D', address: 'cd@example.org' }],
    bcc: 'secret@example.org',
    subject: 'Gr\u00fc\u00dfe \u{1f4e7}',
    text: 'one\ntwo\n',
    html: '<p>one<img src="cid:i1@x"></p>\n',
    fields: { 'X-Mark': '7' },
    messageId: 'm1@example.com',
    attachments: [
        { content: Buffer.from([0, 255, 10]), type: 'application/x-a', fileName: '\u65e5.bin' },
        { content: 'png', type: 'image/png', contentId: 'i1@x', place: 'inline' }],
};

test('postal-mime reads what was built', async () => {
    const built = onward.build(DRAFT);
    assert.deepEqual([built.from, built.to, built.messageId], ['ann@example.com',
        ['bob@example.org', 'cd@example.org', 'secret@example.org'], 'm1@example.com']);
    const m = await new PostalMime().parse(built.raw);
    assert.equal(m.subject, DRAFT.subject);
    assert.deepEqual([m.from.name, m.from.address], [DRAFT.from.name, DRAFT.from.address]);
    assert.deepEqual(m.to.map((a) => [a.name, a.address]),
        [['', 'bob@example.org'], ['C, D', 'cd@example.org']]);
    assert.equal(m.bcc, undefined);
    assert.equal(m.text.trim(), 'one\ntwo');
    assert.equal(m.html.trim(), DRAFT.html.trim());
    assert.deepEqual(m.attachments.map((a) => [a.filename, a.mimeType,
        Buffer.from(a.content).toString('hex')]),
    [['\u65e5.bin', 'application/x-a', '00ff0a'], [null, 'image/png', '706e67']]
        .sort((a, b) => m.attachments.findIndex((x) => x.mimeType === a[1]) -
            m.attachments.findIndex((x) => x.mimeType === b[1])));
});

test('it reads what it was given', () => {
    const m = onward.parse(onward.build(DRAFT).raw);
    assert.equal(m.subject, DRAFT.subject);
    assert.deepEqual(m.from, [DRAFT.from]);
    assert.deepEqual(m.to.map((a) => a.name), ['', 'C, D']);
    assert.deepEqual([m.text, m.html], ['one\r\ntwo\r\n', DRAFT.html.replace('\n', '\r\n')]);
    assert.deepEqual(m.attachments.map((a) => [a.fileName, a.contentId,
        a.content.toString('hex')]).sort(),
    [[null, 'i1@x', '706e67'], ['\u65e5.bin', null, '00ff0a']].sort());
    assert.equal(m.fields.find((f) => f.name === 'X-Mark').value, '7');
    assert.equal(m.messageId, 'm1@example.com');
    assert.deepEqual(m.anomalies, []);
});

test('a reply is threaded', () => {
    const original = 'From: a@b.example\r\nMessage-ID: <2@b>\r\nReferences: <1@b>\r\n\r\n';
    const reply = onward.parse(onward.build(
        { from: 'x@y.example', to: 'a@b.example', text: 'ok', inReplyTo: original }).raw);
    const field = (name) => reply.fields.find((f) => f.name === name).value;
    assert.deepEqual([field('In-Reply-To'), field('References')],
        ['<2@b>', '<1@b> <2@b>']);
});

test('no message is too odd to be read', () => {
    for (const m of ['', '\r\n', '\0\xff', 'a: b', ': \r\n\r\n', 'From: <<<\r\n\r\nx',
        Buffer.from('ff00ff', 'hex'), 'Subject: =?x?q?\r\n\tboo\r\n\r\n\ud83d\ude00']) {
        assert.ok(onward.parse(m).parts.length >= 1);
    }
    const charset = onward.parse('Content-Type: text/plain; charset=x-nobody\r\n\r\nabc');
    assert.equal(charset.text, null);
    assert.equal(charset.parts[0].content.toString(), 'abc');
});

for (const [what, draft, code] of [
    ['a line in the subject', { from: 'a@b.c', subject: 'a\r\nBcc: x@y.z' }, 'ONWARD_ESYNTAX'],
    ['a line in a field', { from: 'a@b.c', fields: { 'X-A': 'a\nb' } }, 'ONWARD_ESYNTAX'],
    ['a field that is ours', { from: 'a@b.c', fields: { 'Message-ID': 'x' } }, 'ONWARD_EINVAL'],
    ['no address', { from: 'nobody' }, 'ONWARD_ESYNTAX'],
    ['no author', { to: 'a@b.c' }, 'ONWARD_EINVAL'],
]) {
    test(`${what} is refused`, () => {
        assert.throws(() => onward.build(draft), { name: 'OnwardError', code });
    });
}
