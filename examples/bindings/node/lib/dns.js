// Answers to the library's DNS questions: by node:dns, or by the user's
// function.
import { Resolver } from 'node:dns/promises';
import { OnwardError } from './errors.js';
import { str, strOfOctets, wrong } from './values.js';

const TYPES = new Map([[1, 'A'], [2, 'NS'], [5, 'CNAME'], [6, 'SOA'],
    [12, 'PTR'], [15, 'MX'], [16, 'TXT'], [28, 'AAAA'], [52, 'TLSA']]);
// enum onward_dns_failure, by what node:dns says.
const FAILURES = new Map([['ENODATA', 5], ['ENOTFOUND', 6], ['ENONAME', 6],
    ['ESERVFAIL', 1], ['ETIMEOUT', 2], ['EREFUSED', 4], ['EBADRESP', 1],
    ['EFORMERR', 1], ['ENOTIMP', 1], ['ECONNREFUSED', 1], ['EBADNAME', 6],
    ['EBADFAMILY', 1], ['ECANCELLED', 1], ['EDESTRUCTION', 1], ['ENOMEM', 1]]);
const TXT_MAX = 255;

/** A text as the strings of a TXT record, as zone files write them. */
function quoted(octets) {
    let out = '"';
    for (const octet of octets) {
        const isPlain = octet >= 0x20 && octet < 0x7f &&
            octet !== 0x22 && octet !== 0x5c;
        out += isPlain ? String.fromCharCode(octet)
            : `\\${String(octet).padStart(3, '0')}`;
    }
    return `${out}"`;
}

function txt(strings) {
    const out = [];
    for (const string of strings) {
        const octets = Buffer.from(string, 'latin1'); // an octet is a character
        for (let at = 0; at === 0 || at < octets.length; at += TXT_MAX)
            out.push(quoted(octets.subarray(at, at + TXT_MAX)));
    }
    return out.join(' ');
}

const LOOKUPS = {
    A: async (r, name) => (await r.resolve4(name, { ttl: true }))
        .map((a) => [a.ttl, a.address]),
    AAAA: async (r, name) => (await r.resolve6(name, { ttl: true }))
        .map((a) => [a.ttl, a.address]),
    TXT: async (r, name) => (await r.resolveTxt(name)).map((t) => [60, txt(t)]),
    MX: async (r, name) => (await r.resolveMx(name))
        .map((m) => [60, `${m.priority} ${m.exchange}.`]),
    PTR: async (r, name) => (await r.resolvePtr(name)).map((n) => [60, `${n}.`]),
    NS: async (r, name) => (await r.resolveNs(name)).map((n) => [60, `${n}.`]),
    CNAME: async (r, name) => (await r.resolveCname(name)).map((n) => [60, `${n}.`]),
};

/** Asks node:dns, and says what it finds as dig prints it. */
export function nodeDns(servers) {
    const resolver = new Resolver();
    if (servers !== undefined)
        resolver.setServers(servers);
    return async (name, type) => {
        const look = LOOKUPS[type];
        if (look === undefined)
            throw Object.assign(new Error(`node:dns asks for no ${type}`),
                { code: 'ENOTIMP' });
        const found = await look(resolver, name);
        return found.map(([ttl, data]) => `${name}. ${ttl} IN ${type} ${data}`)
            .join('\n');
    };
}

function give(host, token, answer) {
    const { lib, desk } = host;
    if (answer === null || answer === undefined)
        lib.call('onward_dns_answer_error', desk, token, 6);
    else if (typeof answer === 'string')
        lib.call('onward_dns_answer_text', desk, token, str(answer, 'dns'), 0);
    else if (answer instanceof Uint8Array)
        lib.call('onward_dns_answer_wire', desk, token,
            strOfOctets(answer, 'dns').data, answer.length, 0);
    else
        throw wrong('dns', answer, 'lines as dig prints them, a packet, or null');
}

/**
 * Answer one question of the resolver, later. A failure that node:dns has a
 * word for is an answer; anything else is a fault of the function.
 */
export async function answerDns(host, { token, name, type }) {
    try {
        const answer = await host.asks(name, TYPES.get(type) ?? `TYPE${type}`);
        if (!host.isClosed)
            give(host, token, answer);
    } catch (error) {
        if (host.isClosed)
            return;
        const failure = FAILURES.get(error?.code);
        host.lib.call('onward_dns_answer_error', host.desk, token, failure ?? 1);
        if (failure === undefined)
            host.fail(new OnwardError('CALLBACK',
                `dns has thrown: ${error?.message ?? error}`, { cause: error }));
    }
    host.kick();
}
