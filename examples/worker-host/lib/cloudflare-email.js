// What a worker gets by `import { EmailMessage } from "cloudflare:email"`.

/** A whole message with its envelope. raw: a string, or a stream of octets. */
export class EmailMessage {
    constructor(from, to, raw) {
        if (typeof from !== 'string')
            throw new TypeError('EmailMessage: from: expected a string');
        if (typeof to !== 'string' && to !== null && to !== undefined)
            throw new TypeError('EmailMessage: to: expected a string');
        this.from = from;
        this.to = to ?? null;
        this.raw = raw;
    }
}
