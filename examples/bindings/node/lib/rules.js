// Rules: loaded once, asked about addresses.
import koffi from 'koffi';
import { parseIp } from './auth.js';
import { OnwardError } from './errors.js';
import { remember, whenForgotten } from './forgotten.js';
import { copy, fixed, need, options, str, textOf, wrong } from './values.js';

const AGAIN = -13;
const FACTS = ['sender', 'fields', 'attachments', 'verdict', 'size', 'score',
    'tls', 'ip', 'verified'];
const MATCHES = ['none', 'exact', 'base', 'catch-all', 'pattern'];
const NO_RULE = 0xffffffffffffffffn;
const CATCH_ALL = NO_RULE - 1n;

/** What the host knows, as the library asks for it; one for each route(). */
class Facts {
    #kept = [];

    constructor(host, given) {
        this.host = host;
        this.o = options(given, 'route', FACTS);
        if (this.o.verified !== undefined && typeof this.o.verified !== 'function')
            throw wrong('verified', this.o.verified, 'a function');
        this.ip = this.o.ip === undefined ? undefined
            : parseIp(host.lib, this.o.ip, 'ip');
    }

    destination(address, len) {
        const is = this.o.verified?.(copy(address, len).toString('utf8'));
        return is === undefined ? 0 : is ? 1 : 2;
    }

    #textsOf(fact, name) {
        const { o } = this;
        switch (fact) {
        case 1: return o.sender === undefined ? undefined : [o.sender];
        case 2: return o.fields?.filter((f) =>
            f.name.toLowerCase() === name.toLowerCase()).map((f) => f.value);
        case 3: return o.attachments?.map((a) => a.fileName ?? '');
        case 4: return o.attachments?.map((a) => a.type ?? '');
        case 5: return o.verdict === undefined ? undefined
            : o.verdict[name] === undefined ? [] : [o.verdict[name]];
        default: return undefined;
        }
    }

    text(fact, name, nameLen, index, out) {
        const all = this.#textsOf(Number(fact), copy(name, nameLen).toString('utf8'));
        if (all === undefined)
            return AGAIN;
        if (index >= all.length)
            return 0;
        const value = str(all[Number(index)], 'route');
        this.#kept.push(value.data);
        koffi.encode(out, this.host.lib.types.struct('onward_str'),
            { data: value.data === null ? null : koffi.address(value.data),
                len: value.len });
        return 1;
    }

    number(fact, out) {
        const { size, score, tls } = this.o;
        const value = [size, score === undefined ? undefined
            : Math.round(score * 1000), tls === undefined ? undefined : Number(tls),
        ][Number(fact) - 6];
        if (value === undefined)
            return AGAIN;
        if (!Number.isSafeInteger(value))
            throw wrong('route', value, 'a number');
        koffi.encode(out, 'int64_t', value);
        return 1;
    }

    client(out) {
        if (this.ip === undefined)
            return AGAIN;
        koffi.encode(out, this.host.lib.types.struct('onward_ip'), this.ip);
        return 1;
    }
}

export const FACTS_TABLE = { destination: 'destination', text: 'text',
    number: 'number', client: 'client' };

function strings(lib, pointer, n) {
    if (n === 0)
        return [];
    const type = koffi.array(lib.types.struct('onward_str'), n);
    return koffi.decode(pointer, type).map(textOf);
}

function ruleOf(rule) {
    const n = BigInt(rule);
    return n === NO_RULE ? null : n === CATCH_ALL ? 'catch-all' : Number(n);
}

function replyOf(lib, d) {
    return d.kind !== lib.constants.ONWARD_RULESET_REJECT ? null
        : { code: d.reply_code, enhanced: textOf(d.reply_enhanced),
            text: textOf(d.reply_text) };
}

function actionsOf(lib, pointer) {
    const all = [];
    for (let at = pointer; at !== null;) {
        const a = lib.decode('onward_ruleset_action', at);
        all.push({
            kind: lib.call('onward_ruleset_kind_name', a.kind),
            destinations: strings(lib, a.destinations, Number(a.destination_count)),
            name: textOf(a.name) || null,
            value: textOf(a.value) || null,
            reply: replyOf(lib, a),
        });
        at = a.next;
    }
    return all;
}

/** Rules in the form of <onward/ruleset.h>. Made by onward.rules(). */
export class Rules {
    #host;
    #pointer = null;
    #token;

    constructor(host, text) {
        host.check();
        this.#host = host;
        const json = typeof text === 'object' && text !== null
            ? JSON.stringify(text) : text;
        const { lib } = host;
        const fault = lib.open('onward_ruleset_fault');
        const out = [null];
        const err = lib.call('onward_ruleset_new', host.ctx, need(json, 'rules'),
            null, fault, out);
        if (err < 0) {
            const where = fault.line > 0
                ? `line ${fault.line}: ${fixed(fault.path)}: ` : '';
            throw lib.error('rules', err, where + fixed(fault.text));
        }
        this.#pointer = out[0];
        this.#token = whenForgotten(this, () =>
            lib.call('onward_ruleset_free', out[0]));
    }

    /** For the binding: the library's object. */
    get pointer() {
        if (this.#pointer === null)
            throw new OnwardError('CLOSED', 'rules used after close()');
        return this.#pointer;
    }

    /** What to do with mail for an address. */
    route(address, given) {
        const host = this.#host;
        host.check();
        const { lib } = host;
        const { pointer } = this;
        const to = need(address, 'address');
        const facts = new Facts(host, given);
        const mailbox = lib.make('address', 'onward_mailbox_parse', host.ctx, to, 0);
        const number = lib.enlist(facts);
        let router = null;
        try {
            router = lib.make('route', 'onward_ruleset_router_new', host.ctx);
            const d = lib.open('onward_ruleset_decision');
            lib.must('route', 'onward_ruleset_route', pointer, router, mailbox,
                lib.table('onward_ruleset_facts', number, FACTS_TABLE), null, d);
            return {
                kind: lib.call('onward_ruleset_kind_name', d.kind),
                reason: lib.call('onward_ruleset_reason_name', d.reason),
                match: MATCHES[d.match],
                zone: textOf(d.zone) || null,
                rule: ruleOf(d.rule),
                ruleName: textOf(d.rule_name) || null,
                destinations: strings(lib, d.destinations, Number(d.destination_count)),
                handler: textOf(d.handler) || null,
                reply: replyOf(lib, d),
                actions: actionsOf(lib, d.actions),
            };
        } finally {
            lib.dismiss(number);
            lib.call('onward_ruleset_router_free', router);
            lib.call('onward_mailbox_free', mailbox);
        }
    }

    close() {
        this.#host.lib.checkIdle('close()');
        const pointer = this.#pointer;
        this.#pointer = null;
        remember(this.#token);
        if (pointer !== null)
            this.#host.lib.call('onward_ruleset_free', pointer);
    }
}
