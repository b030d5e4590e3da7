/**
 * libonward in Node: verify, sign, seal, SPF, DMARC, parse, build, route, and
 * the email event. index.d.ts has every type; README.md begins with examples.
 */
import * as auth from './auth.js';
import { receive } from './event.js';
import { Host } from './host.js';
import { NEEDS } from './library.js';
import { build, parse } from './mime.js';
import { Rules } from './rules.js';
import { octets } from './values.js';

export { OnwardError, OnwardRefusal } from './errors.js';

/** The oldest libonward that this binding takes. */
export const requires = NEEDS;

/** A message with CRLF at each line's end, as files often have LF. */
export function crlf(message) {
    const text = Buffer.from(octets(message, 'message')).toString('latin1');
    return Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1');
}

/** A context of the library with its DNS. close() it, or let it be collected. */
export class Onward {
    #host;

    constructor(options) {
        this.#host = new Host(options);
    }

    /** The library's own, "0.1.0". */
    get version() {
        return this.#host.lib.version;
    }

    async verify(message, facts) {
        return auth.verify(this.#host, message, facts);
    }

    async spf(facts) {
        return auth.spf(this.#host, facts);
    }

    async dmarc(facts) {
        return auth.dmarc(this.#host, facts);
    }

    async sign(message, signatures) {
        return auth.sign(this.#host, message, signatures);
    }

    async seal(message, sealing, facts) {
        return auth.seal(this.#host, message, sealing, facts);
    }

    parse(message) {
        return parse(this.#host, message);
    }

    build(message) {
        return build(this.#host, message);
    }

    rules(text) {
        return new Rules(this.#host, text);
    }

    async receive(message, options) {
        return receive(this.#host, message, options);
    }

    close() {
        this.#host.close();
    }
}
