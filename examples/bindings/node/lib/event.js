// One message through the rules: what a server does with it, with the handler's
// code in JavaScript and the machine's side (deliveries, the spool) given.
import { setImmediate } from 'node:timers/promises';
import { openSigner, parseIp, verdictOf } from './auth.js';
import { OnwardError, OnwardRefusal } from './errors.js';
import { fieldsOf, openBuilder, readSource } from './mime.js';
import { Outcome } from './outcome.js';
import { Rules } from './rules.js';
import { copy, count, flag, need, octets, options, str, strOfOctets, textOf,
    wrong } from './values.js';

const KNOWN = ['rules', 'from', 'to', 'ip', 'helo', 'hostname', 'trustedSealers',
    'handlers', 'deliver', 'submit', 'verified', 'seal', 'received',
    'allowUnauthenticated', 'handlerTimeoutMs', 'dmarcReject'];
const KINDS = ['', 'reply', 'send', 'quarantine'];
const DONE = 1;
const BEFORE = 2;

function replyOf(lib, value, what) {
    const o = typeof value === 'string' ? parseReply(value, what)
        : options(value ?? null, what, ['code', 'enhanced', 'text']);
    return lib.open('onward_smtp_reply', { code: count(o.code, `${what}.code`),
        enhanced: str(o.enhanced, what), text: str(o.text, what) });
}

/** "550 5.1.1 Nobody". */
function parseReply(text, what) {
    const m = /^([245]\d\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.*))?$/.exec(text);
    if (m === null)
        throw new TypeError(`${what}: ${JSON.stringify(text)}, expected a reply ` +
            'as in 550 5.1.1 Nobody');
    return { code: Number(m[1]), enhanced: m[2], text: m[3] };
}

/** A message in the hands of a handler. */
export class MailEvent {
    #transaction;
    #token;
    #outcomes = [];

    constructor(transaction, token, pointer) {
        const { lib } = transaction.host;
        this.#transaction = transaction;
        this.#token = token;
        this.handler = textOf(lib.call('onward_event_handler', pointer));
        this.from = textOf(lib.call('onward_event_from', pointer));
        this.to = textOf(lib.call('onward_event_to', pointer));
        this.raw = transaction.message;
        this.fields = fieldsOf(transaction.host, lib.call('onward_event_header', pointer));
        this.verdict = transaction.verdict;
        this.canBeForwarded = lib.call('onward_event_can_be_forwarded', pointer) === 1;
        this.canBeReplied =
            lib.call('onward_event_can_be_replied', pointer, null) === 1;
    }

    /** The library's event, as long as somebody waits for the handler. */
    #open() {
        const { host } = this.#transaction;
        host.check();
        const pointer = host.lib.call('onward_event_find', host.desk, this.#token);
        if (pointer === null)
            throw new OnwardError('E_EVENT_OVER', 'the event is over');
        return pointer;
    }

    /** Refuse the message; the last call counts. "555 5.7.1 not today", or an
     * object with code, enhanced and text. */
    reject(reply = {}) {
        const { lib } = this.#transaction.host;
        const event = this.#open();
        const got = lib.must('reject', 'onward_event_set_reject', event,
            replyOf(lib, reply, 'reject'));
        if (got === 0)
            throw new OnwardError('E_EVENT_OVER', 'the event is over');
    }

    /** For the binding: what was refused, and nobody looked. */
    get failure() {
        return this.#outcomes.find((o) => o.failure !== null && !o.isWanted)?.failure
            ?? null;
    }

    #begin(run) {
        const outcome = Outcome.of(run);
        this.#outcomes.push(outcome);
        return outcome;
    }

    #act(what, isWanted, run) {
        const { host } = this.#transaction;
        const action = [0];
        const refusal = host.lib.refusal();
        const got = run(action, refusal);
        if (got < 0)
            throw host.lib.error(what, got);
        if (got === 0)
            throw host.lib.refused(refusal);
        host.kick();
        return this.#transaction.outcome(this.#token, Number(action[0]), isWanted);
    }

    /** Forward a copy; settles when the next hop has answered. */
    forward(to, fields) {
        return this.#begin(async (isWanted) => this.#forward(isWanted, to, fields));
    }

    #forward(isWanted, to, fields = {}) {
        const { host } = this.#transaction;
        const { lib } = host;
        const event = this.#open();
        const address = need(to, 'to');
        const list = lib.make('fields', 'onward_field_list_new', host.ctx,
            lib.open('onward_field_list_opts', { policy: 1 }));
        try {
            for (const [name, value] of Object.entries(fields)) {
                const refusal = lib.refusal();
                if (lib.must('fields', 'onward_field_list_add', list,
                    need(name, 'fields'), need(value, name), refusal) === 0)
                    throw lib.refused(refusal);
            }
            return this.#act('forward', isWanted, (action, refusal) =>
                lib.call('onward_event_forward', event, address, list, action, refusal));
        } finally {
            lib.call('onward_field_list_free', list);
        }
    }

    #write(isWanted, name, message, envelope, ...more) {
        const { host } = this.#transaction;
        const { lib } = host;
        const event = this.#open();
        const isRaw = typeof message === 'string' || message instanceof Uint8Array;
        const builder = isRaw ? null : openBuilder(host, message);
        try {
            const m = lib.open('onward_event_message', {
                from: str(envelope.from, 'from'), to: str(envelope.to, 'to'),
                data: isRaw ? strOfOctets(message, 'message') : undefined, builder });
            return this.#act(name, isWanted, (action, refusal) => lib.call(
                `onward_event_${name}`, event, ...more, m, action, refusal));
        } finally {
            lib.call('onward_builder_free', builder);
        }
    }

    /** Answer the sender: what build() takes, or a whole message. */
    reply(message, envelope) {
        return this.#begin(async (isWanted) => this.#write(isWanted, 'reply',
            message, options(envelope, 'reply', ['from', 'to'])));
    }

    /** Send a message: what build() takes, or a whole one. */
    send(message, envelope) {
        return this.#begin(async (isWanted) => this.#write(isWanted, 'send',
            message, options(envelope, 'send', ['from', 'to']), null));
    }
}

/** A relay, what it asks, and what it came to. */
class Transaction {
    #outcomes = new Map(); // "token/action" -> { resolve, reject }
    #running = new Map(); // event's address -> its token, while its code runs
    relay = null;
    verifier = null;
    signer = null;

    constructor(host, message, o) {
        Object.assign(this, { host, message, o });
    }

    // ---- Its own facts and tables, inside the library's calls ---------------

    destination(address, len) {
        const is = this.o.verified?.(copy(address, len).toString('utf8'));
        return is === undefined ? 0 : is ? 1 : 2;
    }

    deliver(token, relay, index) {
        this.host.after(() => this.#deliver(token, index));
        return 0;
    }

    submit(token, relay, index) {
        this.host.after(() => this.#submit(token, index));
        return 0;
    }

    handle(token, pointer) {
        const { lib } = this.host;
        const name = textOf(lib.call('onward_event_handler', pointer));
        const code = this.o.handlers?.[name];
        if (code === undefined)
            return lib.constants.ONWARD_ENOENT;
        this.#running.set(pointer, token);
        this.host.after(() => this.#handle(code, token, pointer));
        return 0;
    }

    acted(pointer, action) {
        this.host.after(() => this.#acted(pointer, action));
        return 0;
    }

    done(relay, status) {
        this.operation.done(relay, status);
    }

    // ---- After the desk has run ------------------------------------------------

    get #isOver() {
        return !this.host.waits(this.operation);
    }

    async #deliver(token, index) {
        if (this.#isOver)
            return;
        const { host } = this;
        const { lib } = host;
        let reply;
        try {
            const d = lib.open('onward_relay_delivery');
            lib.must('deliver', 'onward_relay_delivery_at', this.relay, index, d);
            reply = replyOf(lib, await this.o.deliver({
                from: textOf(d.reverse_path), to: textOf(d.recipient),
                domain: textOf(d.domain), raw: readSource(lib, d.source),
            }) ?? '250 2.0.0 OK', 'deliver');
        } catch (error) {
            this.fail(error);
            return;
        }
        if (host.isClosed)
            return;
        if (lib.call('onward_relay_delivery_answer', host.desk, token, reply) ===
            lib.constants.ONWARD_EINVAL)
            this.fail(new TypeError(`deliver: code ${reply.code}, expected 200 to 599`));
        host.kick();
    }

    async #submit(token, index) {
        if (this.#isOver)
            return;
        const { host } = this;
        const { lib } = host;
        try {
            const s = lib.open('onward_relay_submission');
            lib.must('submit', 'onward_relay_submission_at', this.relay, index, s);
            const to = [];
            for (let i = 0; i < Number(s.rcpt_count); i++)
                to.push(textOf(lib.call('onward_relay_submission_rcpt', this.relay,
                    index, i)));
            await this.o.submit({ kind: KINDS[Number(s.kind)],
                from: textOf(s.reverse_path), to, messageId: textOf(s.message_id),
                raw: readSource(lib, s.source) });
        } catch (error) {
            this.fail(error);
            return;
        }
        if (host.isClosed)
            return;
        lib.call('onward_relay_submission_answer', host.desk, token, 0);
        host.kick();
    }

    async #handle(code, token, pointer) {
        const { host } = this;
        if (this.#isOver)
            return;
        let why = null;
        try {
            const event = new MailEvent(this, token, pointer);
            await code(event);
            await setImmediate(); // what nobody awaits is known by then
            if (event.failure !== null)
                throw event.failure;
        } catch (error) {
            why = error;
            this.handlerErrors.push(error);
        }
        this.#running.delete(pointer);
        if (host.isClosed)
            return;
        if (why === null)
            host.lib.call('onward_event_done', host.desk, token);
        else
            host.lib.call('onward_event_fail', host.desk, token,
                cut(why));
        host.kick();
    }

    #acted(pointer, index) {
        if (this.#isOver)
            return;
        const { lib } = this.host;
        const a = lib.open('onward_event_action');
        lib.must('action', 'onward_event_action_at', pointer, index, a);
        const key = `${pointer}/${index}`;
        const waits = this.#outcomes.get(key);
        if (waits === undefined)
            return;
        this.#outcomes.delete(key);
        const state = Number(a.state);
        if (state === DONE || state === BEFORE) {
            waits.resolve({ messageId: textOf(a.message_id),
                wasBefore: state === BEFORE });
            return;
        }
        // Whose code waits for it can try something else.
        if (this.#running.has(pointer) && waits.isWanted())
            lib.call('onward_event_forgive', pointer, index);
        const code = Number(a.refusal);
        waits.reject(new OnwardRefusal(lib.call('onward_refusal_name', code),
            lib.call('onward_refusal_text', code), Number(a.reply_code) === 0 ? ''
                : [a.reply_code, textOf(a.reply_enhanced), textOf(a.reply_text)]
                    .join(' ').trim()));
    }

    /** How an action will have ended. */
    outcome(token, index, isWanted) {
        const pointer = this.host.lib.call('onward_event_find', this.host.desk, token);
        return new Promise((resolve, reject) => {
            this.#outcomes.set(`${pointer}/${index}`, { resolve, reject, isWanted });
        });
    }

    fail(error) {
        this.host.end(this.operation, error);
    }

    free() {
        const { lib } = this.host;
        lib.call('onward_relay_free', this.relay);
        lib.call('onward_verifier_free', this.verifier);
        lib.call('onward_memory_source_free', this.source ?? null);
        lib.call('onward_signer_free', this.signer);
        for (const { reject } of this.#outcomes.values())
            reject(new OnwardError('E_EVENT_OVER', 'the event is over'));
        this.#outcomes.clear();
    }

    handlerErrors = [];
}

/** An error as onward_event_fail() takes it: no NUL, whole characters. */
function cut(error) {
    const text = String(error?.message ?? error).slice(0, 400)
        .replace(/[\0\p{Surrogate}]/gu, '?');
    return str(text, 'error');
}

function openRelay(t, number) {
    const { host, o } = t;
    const { lib } = host;
    const hostname = need(o.hostname ?? 'localhost', 'hostname');
    const members = {
        resolver: host.resolver, ruleset: o.rules.pointer, hostname,
        authserv_id: hostname,
        facts: o.verified === undefined ? null
            : lib.table('onward_ruleset_facts', number, { destination: 'destination' }),
        handler_timeout_ms: count(o.handlerTimeoutMs, 'handlerTimeoutMs'),
        allow_unauthenticated: flag(o.allowUnauthenticated, 'allowUnauthenticated'),
    };
    if (o.seal !== undefined) {
        const s = options(o.seal, 'seal', ['key', 'domain', 'selector']);
        t.signer = openSigner(host, s.key);
        members.signer = t.signer;
        members.seal_domain = need(s.domain, 'seal.domain');
        members.seal_selector = need(s.selector, 'seal.selector');
    }
    const table = { deliver: 'deliver', handle: 'handle', acted: 'acted', done: 'done' };
    if (o.submit !== undefined)
        table.submit = 'submit';
    t.relay = lib.make('relay', 'onward_relay_new', host.desk,
        lib.open('onward_relay_opts', members),
        lib.open('onward_relay_envelope', { reverse_path: str(o.from, 'from'),
            smtputf8: 1 }),
        lib.table('onward_relay_host', number, table));
    for (const to of Array.isArray(o.to) ? o.to : [o.to]) {
        const reply = lib.open('onward_smtp_reply');
        if (lib.must('to', 'onward_relay_rcpt', t.relay, need(to, 'to'), reply) === 0)
            return { code: Number(reply.code), enhanced: textOf(reply.enhanced),
                text: textOf(reply.text) };
    }
    return null;
}

/** Verify first; the verifier has to outlive the relay. */
function runVerifier(t) {
    const { host, o, message } = t;
    const { lib } = host;
    const opts = lib.open('onward_verifier_opts', {
        authserv_id: need(o.hostname ?? 'localhost', 'hostname'),
        client_ip: o.ip === undefined ? null : parseIp(lib, o.ip, 'ip'),
        helo: str(o.helo, 'helo'), mail_from: str(o.from, 'from'),
        dmarc_reject_policy: { rfc9989: 0, service: 1, never: 2 }[o.dmarcReject ?? 'service'],
    });
    return host.operate({
        start: (number) => {
            t.verifier = lib.make('verify', 'onward_verifier_new', host.resolver, opts,
                lib.table('onward_verifier_host', number, { done: 'done' }));
            lib.must('message', 'onward_verifier_feed', t.verifier, message, message.length);
            lib.must('message', 'onward_verifier_finish', t.verifier);
            return t.verifier;
        },
        finish: (verifier) => verdictOf(lib, verifier),
        free: () => {},
    });
}

function startRelay(t, received) {
    const { host, message } = t;
    const { lib } = host;
    return host.operate({
        start: (_, operation) => {
            t.operation = operation;
            t.source = lib.make('message', 'onward_memory_source_new', host.ctx,
                message, message.length);
            lib.must('relay', 'onward_relay_start', t.relay, t.verifier,
                lib.decode('onward_source',
                    lib.call('onward_memory_source_table', t.source)), received);
            return t.relay;
        },
        finish: (relay) => {
            const reply = lib.open('onward_smtp_reply');
            lib.must('relay', 'onward_relay_reply', relay, reply);
            const summary = lib.open('onward_relay_summary');
            lib.must('relay', 'onward_relay_summarize', relay, summary);
            return {
                code: Number(reply.code), enhanced: textOf(reply.enhanced),
                text: textOf(reply.text),
                status: lib.call('onward_relay_status_name', Number(summary.status)),
                reason: lib.call('onward_relay_reason_name',
                    lib.call('onward_relay_reason', relay)),
            };
        },
        free: () => {},
    });
}

/**
 * Do with a message what a server does: the reply to its sender comes back.
 */
export async function receive(host, given, options_) {
    const o = options(options_ ?? null, 'receive', KNOWN);
    host.check();
    if (!(o.rules instanceof Rules))
        throw wrong('rules', o.rules, 'the rules of onward.rules()');
    for (const [name, needed] of [['deliver', true], ['submit', false],
        ['verified', false]]) {
        if ((needed || o[name] !== undefined) && typeof o[name] !== 'function')
            throw wrong(name, o[name], 'a function');
    }
    for (const [name, code] of Object.entries(o.handlers ?? {})) {
        if (typeof code !== 'function')
            throw wrong(`handlers.${name}`, code, 'a function');
    }
    const { lib } = host;
    const t = new Transaction(host, Buffer.from(octets(given, 'message')), o);
    const received = str(o.received ?? 'Received: by onward\r\n', 'received');
    const number = lib.enlist(t);
    try {
        const refused = openRelay(t, number);
        if (refused !== null)
            return { ...refused, status: 'Rejected', reason: 'recipient',
                verdict: null, handlerErrors: [] };
        t.verdict = await runVerifier(t);
        const end = await startRelay(t, received);
        return { ...end, verdict: t.verdict, handlerErrors: t.handlerErrors };
    } finally {
        lib.dismiss(number);
        t.free();
    }
}
