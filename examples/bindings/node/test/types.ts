// What index.d.ts promises, as a user would write it; tsc checks it.
import { Onward, OnwardError, OnwardRefusal, crlf, requires } from 'onward';
import type { Decision, Message, Received, Verdict } from 'onward';

async function all(raw: Buffer, pem: string): Promise<string> {
    const onward = new Onward({ records: 'a. A 192.0.2.1', log: (e) => e.detail.length });
    const message: Buffer = crlf(raw);
    const verdict: Verdict = await onward.verify(message, { ip: '192.0.2.1', from: 'a@b.c' });
    const dkim: string[] = verdict.dkim.map((s) => s.result);
    const { result } = await onward.spf({ ip: '::1', from: 'a@b.c' });
    const isPass: boolean = result === 'pass';
    await onward.dmarc({ author: 'b.c', dkim });
    const key = { key: pem, domain: 'b.c', selector: 's' };
    const signed: Buffer = await onward.sign(message, [key, { ...key, identity: '@b.c' }]);
    await onward.seal(signed, key, { authservId: 'mx.b.c' });
    const parsed: Message = onward.parse(signed);
    const built = onward.build({ from: 'a@b.c', to: [{ name: 'B', address: 'b@b.c' }],
        text: parsed.text ?? '', attachments: [{ content: built_of(parsed) }] });
    const rules = onward.rules({ version: 1 });
    const way: Decision = rules.route('a@b.c', { verified: (a) => a === 'x@y.z' });
    const end: Received = await onward.receive(built.raw, {
        rules, from: 'a@b.c', to: way.destinations, deliver: () => '250 2.0.0 OK',
        handlers: {
            async robot(event) {
                if (!event.canBeForwarded)
                    event.reject({ code: 555, text: 'no' });
                const { messageId } = await event.reply({ from: event.to, text: 'ok' });
                await event.forward('x@y.z', { 'X-Reply': messageId });
            },
        },
    });
    onward.close();
    return `${end.code} ${isPass} ${requires}`;
}

function built_of(m: Message): Uint8Array | string {
    return m.attachments[0]?.content ?? '';
}

all(Buffer.from(''), '').catch((error: unknown) => {
    if (error instanceof OnwardRefusal)
        console.log(error.code, error.what);
    else if (error instanceof OnwardError)
        console.log(error.code);
});

// @ts-expect-error a message is octets
void new Onward().verify(5);
// @ts-expect-error no such option
void new Onward({ record: '' });
// @ts-expect-error rules come from onward.rules()
void new Onward().receive('', { rules: {}, to: 'a@b.c', deliver: () => undefined });
