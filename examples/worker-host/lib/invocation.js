// One call of a worker's code: its message, its env, its ctx, and what comes of
// what it asked for.
import { Outcome } from '../../bindings/node/lib/outcome.js';
import { fault, readLetter, recipientsOf } from './letter.js';
import { ForwardableEmailMessage } from './message.js';

/** Fails with the product's texts: what the forwarder says of a step. */
function failureOf(outcome) {
    const { refusal, text, what, reply } = outcome;
    const said = reply === undefined ? ''
        : `: ${reply.code} ${reply.enhanced} ${reply.text}`.trimEnd();
    return Object.assign(fault(refusal ?? 'E_VALIDATION_ERROR', `${text}${said}`),
        { what: what ?? '', isOurs: true });
}

const IN_SECONDS = (ms) => `took longer than ${ms / 1000} seconds`;

/** An email event, or a tick. step(action): the forwarder's outcome of it. */
export class Invocation {
    #outcomes = [];
    #waits = [];
    #steps;
    #onward;
    #event;
    #raw;

    constructor(onward, steps, event, raw) {
        this.#onward = onward;
        this.#steps = steps;
        this.#event = event;
        this.#raw = raw;
    }

    #begin(run) {
        const outcome = Outcome.of(async () => run());
        this.#outcomes.push(outcome);
        return outcome;
    }

    async #step(action) {
        if (this.#steps === null)
            throw fault('E_DELIVERY_FAILED', 'there is no way out of scheduled(): give ' +
                '--smtp and --tick');
        const outcome = await this.#steps.take(action);
        if (outcome.state !== 'done' && outcome.state !== 'before')
            throw failureOf(outcome);
        return outcome;
    }

    // ---- What a message can ------------------------------------------------

    reject(reason) {
        // Noted at once; that it arrives is waited for at the end.
        this.#begin(() => this.#step({ action: 'reject', code: 555, enhanced: '5.7.1',
            text: String(reason) }));
    }

    forward(to, headers) {
        return this.#begin(async () => {
            if (typeof to !== 'string')
                throw fault('E_VALIDATION_ERROR', 'destination address is invalid');
            const fields = headers === undefined ? {} : Object.fromEntries(
                typeof headers[Symbol.iterator] === 'function' ? headers
                    : Object.entries(headers));
            await this.#step({ action: 'forward', to, fields });
            return { messageId: this.message.headers.get('message-id') ?? '' };
        });
    }

    reply(given) {
        return this.#begin(async () => {
            const letter = await readLetter(this.#onward, given,
                { from: this.#event.from, raw: this.#raw });
            return this.#write('reply', letter);
        });
    }

    async #write(action, letter) {
        const raw = letter.raw.toString('utf8');
        if (!Buffer.from(raw, 'utf8').equals(letter.raw))
            throw fault('E_VALIDATION_ERROR',
                'could not parse email: octets that are not UTF-8');
        const done = await this.#step({ action, raw, from: letter.from,
            ...(letter.to.length === 1 ? { to: letter.to[0] } : {}) });
        return { messageId: done.message_id ?? '' };
    }

    // ---- env and ctx -------------------------------------------------------

    /** A send_email binding. */
    #sender(binding) {
        return {
            send: (given) => this.#begin(async () => {
                const letter = await readLetter(this.#onward, given);
                if (letter.to.length === 0 && binding.destination !== undefined)
                    letter.to = [binding.destination];
                const allowed = binding.destination !== undefined
                    ? [binding.destination] : binding.destinations;
                for (const to of allowed === undefined ? []
                    : recipientsOf(this.#onward, letter)) {
                    if (!allowed.includes(to))
                        throw fault('E_RECIPIENT_NOT_ALLOWED', `email to ${to} not allowed`);
                }
                if (binding.senders !== undefined && !binding.senders.includes(letter.from))
                    throw fault('E_SENDER_NOT_VERIFIED',
                        `email from ${letter.from} not allowed`);
                return this.#write('send', letter);
            }),
        };
    }

    env(config) {
        const env = structuredClone(config.vars);
        for (const binding of config.sends)
            env[binding.name] = this.#sender(binding);
        return env;
    }

    get ctx() {
        return {
            waitUntil: (promise) => {
                this.#waits.push(Promise.resolve(promise));
            },
            passThroughOnException() {},
            props: {},
        };
    }

    get message() {
        this.kept ??= new ForwardableEmailMessage(this.#event, this.#raw, this);
        return this.kept;
    }

    // ---- Its end -------------------------------------------------------------

    /** Everything that was begun has come to its end; throws what counts. */
    async #settle(run) {
        await run();
        // A promise of waitUntil() may add another.
        for (let i = 0; i < this.#waits.length; i++) {
            try {
                await this.#waits[i];
            } catch (error) {
                // The worker's own business, unless mail hangs on it.
                if (error?.isOurs || error?.code?.startsWith?.('E_'))
                    throw error;
                console.error('waitUntil:', error);
            }
        }
        for (let i = 0; i < this.#outcomes.length; i++) {
            const outcome = this.#outcomes[i];
            await Promise.prototype.then.call(outcome, undefined, () => {});
            if (outcome.failure !== null && !outcome.isWanted)
                throw outcome.failure;
        }
    }

    /** Run the worker's code within a time. */
    async run(code, limitMs) {
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error(IN_SECONDS(limitMs))), limitMs);
        });
        try {
            await Promise.race([this.#settle(code), late]);
        } finally {
            clearTimeout(timer);
        }
    }
}
