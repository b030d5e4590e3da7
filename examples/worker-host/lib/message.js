// The message as a worker sees it.

const LINE = /^([!-9;-~]+)[ \t]*:(.*)$/s;
const PIECE = 65536;

/** Octets as text: UTF-8 where they are, else one character an octet. */
function decode(octets) {
    try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
    } catch {
        return octets.toString('latin1');
    }
}

/** The fields of a message, unfolded, as [name, value]; words are not decoded. */
export function readFields(raw) {
    const end = raw.indexOf('\r\n\r\n');
    const block = decode(end < 0 ? raw : raw.subarray(0, end));
    const fields = [];
    for (const line of block.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
        const m = LINE.exec(line);
        if (m !== null)
            fields.push([m[1].toLowerCase(), m[2].trim()]);
    }
    return fields;
}

/** As Headers, but for any text, and not to be changed. */
class MessageHeaders {
    #fields;

    constructor(fields) {
        this.#fields = fields;
    }

    #of(name) {
        const lower = String(name).toLowerCase();
        return this.#fields.filter(([n]) => n === lower).map(([, value]) => value);
    }

    get(name) {
        const all = this.#of(name);
        return all.length === 0 ? null : all.join(', ');
    }

    getAll(name) {
        return this.#of(name);
    }

    has(name) {
        return this.#of(name).length > 0;
    }

    * entries() {
        for (const name of [...new Set(this.#fields.map(([n]) => n))].sort())
            yield [name, this.get(name)];
    }

    * keys() {
        for (const [name] of this.entries())
            yield name;
    }

    * values() {
        for (const [, value] of this.entries())
            yield value;
    }

    forEach(run, self) {
        for (const [name, value] of this.entries())
            run.call(self, value, name, this);
    }

    [Symbol.iterator]() {
        return this.entries();
    }

    get [Symbol.toStringTag]() {
        return 'Headers';
    }
}

for (const name of ['append', 'set', 'delete']) {
    MessageHeaders.prototype[name] = () => {
        throw new TypeError("Can't modify immutable headers.");
    };
}

/** Octets that can be read once, by whichever way. */
class OnceStream extends ReadableStream {
    #isTaken = false;

    #take() {
        if (this.#isTaken)
            throw new TypeError('This ReadableStream is disturbed (has already been ' +
                'read from), and cannot be used again.');
        this.#isTaken = true;
    }

    getReader(...how) {
        this.#take();
        return super.getReader(...how);
    }

    tee() {
        this.#take();
        return super.tee();
    }

    async pipeTo(...how) {
        this.#take();
        return super.pipeTo(...how);
    }

    pipeThrough(...how) {
        this.#take();
        return super.pipeThrough(...how);
    }

    values(...how) {
        this.#take();
        return super.values(...how);
    }

    [Symbol.asyncIterator](...how) {
        return this.values(...how);
    }
}

function streamOf(octets) {
    let at = 0;
    return new OnceStream({
        type: 'bytes',
        pull(controller) {
            if (at === octets.length) {
                controller.close();
                controller.byobRequest?.respond(0);
                return;
            }
            controller.enqueue(Uint8Array.from(octets.subarray(at, at + PIECE)));
            at = Math.min(at + PIECE, octets.length);
        },
    });
}

/** What the service calls ForwardableEmailMessage; act(): see invocation.js. */
export class ForwardableEmailMessage {
    #act;

    constructor(event, raw, act) {
        this.#act = act;
        this.from = event.from;
        this.to = event.to;
        this.headers = new MessageHeaders(readFields(raw));
        this.raw = streamOf(raw);
        this.rawSize = raw.length;
        this.canBeForwarded = event.can_be_forwarded;
    }

    setReject(reason) {
        this.#act.reject(reason);
    }

    forward(to, headers) {
        return this.#act.forward(to, headers);
    }

    reply(message) {
        return this.#act.reply(message);
    }
}
