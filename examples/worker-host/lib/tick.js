// What does not begin with a message, a cron trigger or an HTTP request, goes the
// way of one: a tick is brought to the forwarder, whose rules hand it to this host
// as an event, and the code runs in that. So what it sends has the same checks,
// limits and queue as all else.
import { randomBytes } from 'node:crypto';
import net from 'node:net';

export const FIELD = 'x-worker-tick';
const TIMEOUT_MS = 60000;

/** Says lines, hears replies; the first that is no yes is an error. */
async function talk(socket, lines) {
    let held = '';
    const replies = [];
    let wake = null;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
        held += text;
        for (let m; (m = /^((?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r\n)/.exec(held));) {
            held = held.slice(m[1].length);
            replies.push(m[1].trim());
        }
        wake?.();
    });
    const end = new Promise((_, reject) => {
        socket.on('error', reject);
        socket.on('close', () => reject(new Error('the forwarder has hung up')));
        socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    });
    end.catch(() => {});
    const reply = async () => {
        while (replies.length === 0)
            await Promise.race([end, new Promise((resolve) => { wake = resolve; })]);
        return replies.shift();
    };
    const expect = async (text) => {
        if (!/^[23]/.test(text))
            throw new Error(text);
    };
    await expect(await reply());
    for (const line of lines) {
        socket.write(`${line}\r\n`);
        await expect(await reply());
    }
}

/** Ticks that are on their way. */
export class Ticks {
    #open = new Map(); // secret -> job

    constructor(smtp, address) {
        this.smtp = smtp;
        this.address = address;
    }

    /** The job of an event, if it is a tick: only we know the secret. */
    find(fields) {
        const secret = fields.find(([name]) => name === FIELD)?.[1];
        const job = this.#open.get(secret);
        this.#open.delete(secret);
        return job;
    }

    /** Bring one; settles when the job has run. */
    async send(job) {
        const secret = randomBytes(16).toString('hex');
        const { host, port } = this.smtp;
        const socket = net.connect({ host, port });
        this.#open.set(secret, job);
        try {
            await talk(socket, [
                'EHLO localhost', 'MAIL FROM:<>', `RCPT TO:<${this.address}>`, 'DATA',
                ['From: <tick@localhost.invalid>', `To: <${this.address}>`,
                    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
                    `Message-ID: <${secret}@localhost.invalid>`, `X-Worker-Tick: ${secret}`,
                    'Auto-Submitted: auto-generated', '', 'A tick.', '.'].join('\r\n'),
                'QUIT']);
        } finally {
            this.#open.delete(secret);
            socket.destroy();
        }
    }
}
