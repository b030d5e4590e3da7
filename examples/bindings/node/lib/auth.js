// Is a message who it says it is; and signing and sealing it.
import { choice, count, need, octets, options, str, strOfOctets, textOf, wrong }
    from './values.js';

const REJECT = ['rfc9989', 'service', 'never'];
const LISTINGS = ['guarded', 'service'];
const FACTS = ['ip', 'helo', 'from', 'authservId', 'receiver', 'trustedSealers',
    'dmarcReject', 'timeoutMs'];
const SIGNATURE = ['key', 'domain', 'selector', 'identity', 'fields', 'listing',
    'time', 'expire'];
const SEAL = ['key', 'domain', 'selector', 'fields', 'listing', 'time', 'expire'];

/** A client's address, as the library has it. */
export function parseIp(lib, text, what) {
    const ip = { family: 0, octets: new Uint8Array(16) };
    if (lib.call('onward_ip_parse', need(text, what), ip) < 0)
        throw new TypeError(`${what}: ${JSON.stringify(text)}, expected an IP address`);
    return ip;
}

function verifierOpts(lib, facts) {
    return lib.open('onward_verifier_opts', {
        authserv_id: need(facts.authservId ?? 'localhost', 'authservId'),
        client_ip: facts.ip === undefined ? null : parseIp(lib, facts.ip, 'ip'),
        helo: str(facts.helo, 'helo'),
        mail_from: str(facts.from, 'from'),
        receiver: str(facts.receiver, 'receiver'),
        dmarc_reject_policy: choice(facts.dmarcReject, 'dmarcReject', REJECT),
        timeout_ms: count(facts.timeoutMs, 'timeoutMs'),
    });
}

/** A verifier that was fed a whole message. For verify() and seal() alike. */
function startVerifier(host, message, facts, number) {
    const { lib } = host;
    const verifier = lib.make('verify', 'onward_verifier_new', host.resolver,
        verifierOpts(lib, facts),
        lib.table('onward_verifier_host', number, { done: 'done' }));
    try {
        for (const domain of facts.trustedSealers ?? [])
            lib.must('trustedSealers', 'onward_verifier_trust_sealer', verifier,
                need(domain, 'trustedSealers'));
        lib.must('message', 'onward_verifier_feed', verifier, message, message.length);
        lib.must('message', 'onward_verifier_finish', verifier);
    } catch (error) {
        lib.call('onward_verifier_free', verifier);
        throw error;
    }
    return verifier;
}

/** What a verifier has found, as an object. */
export function verdictOf(lib, verifier) {
    const json = {};
    lib.must('verify', 'onward_verifier_explain', verifier, json);
    const found = JSON.parse(textOf(json));
    delete found.v;
    found.authorDomain =
        textOf(lib.call('onward_verifier_author_domain', verifier)) || null;
    found.authres = textOf(lib.call('onward_verifier_authres', verifier));
    return found;
}

/** Run a verifier over a message, and have `then` look at it. */
export function withVerifier(host, given, facts, then) {
    host.check();
    const message = octets(given, 'message');
    return host.operate({
        start: (number) => startVerifier(host, message, facts, number),
        finish: (verifier) => then(verifier),
        free: (verifier) => host.lib.call('onward_verifier_free', verifier),
    });
}

export function verify(host, message, given) {
    const facts = options(given, 'verify', FACTS);
    return withVerifier(host, message, facts,
        (verifier) => verdictOf(host.lib, verifier));
}

export function spf(host, given) {
    const o = options(given, 'spf', ['ip', 'helo', 'from', 'receiver', 'identity']);
    const { lib } = host;
    host.check();
    const opts = lib.open('onward_spf_opts', {
        identity: choice(o.identity, 'identity', ['', 'mailfrom', 'helo']),
        client_ip: parseIp(lib, o.ip, 'ip'),
        mail_from: str(o.from, 'from'),
        helo: str(o.helo, 'helo'),
        receiver: str(o.receiver, 'receiver'),
    });
    const text = (name, check) => textOf(lib.call(name, check));
    return host.operate({
        start: (number) => lib.make('spf', 'onward_spf_check_new', host.resolver,
            opts, lib.table('onward_spf_host', number, { done: 'done' })),
        finish: (check) => ({
            result: lib.call('onward_spf_result_name',
                lib.call('onward_spf_check_result', check)),
            reason: lib.call('onward_spf_reason_name',
                lib.call('onward_spf_check_reason', check)),
            domain: text('onward_spf_check_domain', check),
            mechanism: text('onward_spf_check_mechanism', check),
            explanation: text('onward_spf_check_explanation', check),
            lookups: Number(lib.call('onward_spf_check_lookups', check)),
        }),
        free: (check) => lib.call('onward_spf_check_free', check),
    });
}

function list(value, what) {
    if (value === undefined)
        return [];
    if (!Array.isArray(value))
        throw wrong(what, value, 'an array of domains');
    return value.map((domain) => need(domain, what));
}

export function dmarc(host, given) {
    const o = options(given, 'dmarc', ['author', 'spf', 'dkim', 'dmarcReject']);
    const { lib } = host;
    host.check();
    const opts = lib.open('onward_dmarc_opts', {
        author_domain: need(o.author, 'author'),
        reject_policy: choice(o.dmarcReject, 'dmarcReject', REJECT),
    });
    const passed = { spf: list(o.spf, 'spf'), dkim: list(o.dkim, 'dkim') };
    const word = (names, number, check) =>
        lib.call(`onward_dmarc_${names}_name`, lib.call(number, check));
    return host.operate({
        start: (number) => {
            const check = lib.make('dmarc', 'onward_dmarc_check_new', host.resolver,
                opts, lib.table('onward_dmarc_host', number, { done: 'done' }));
            for (const [kind, domains] of Object.entries(passed)) {
                for (const domain of domains)
                    lib.must(kind, `onward_dmarc_check_add_${kind}`, check, domain);
            }
            lib.must('dmarc', 'onward_dmarc_check_finish', check, 0);
            return check;
        },
        finish: (check) => ({
            result: word('result', 'onward_dmarc_check_result', check),
            reason: word('reason', 'onward_dmarc_check_reason', check),
            policy: word('policy', 'onward_dmarc_check_policy', check) || null,
            disposition: word('policy', 'onward_dmarc_check_disposition', check),
            policyDomain: textOf(lib.call('onward_dmarc_check_policy_domain', check)),
            record: textOf(lib.call('onward_dmarc_check_record', check)),
            spfAligned: lib.call('onward_dmarc_check_is_spf_aligned', check) === 1,
            dkimAligned: lib.call('onward_dmarc_check_is_dkim_aligned', check) === 1,
        }),
        free: (check) => lib.call('onward_dmarc_check_free', check),
    });
}

/** A private key in PEM, on the desk; free it with onward_signer_free(). */
export function openSigner(host, pem) {
    const { lib } = host;
    const fault = lib.open('onward_key_fault');
    const out = [null];
    const err = lib.call('onward_key_from_pem', host.ctx,
        strOfOctets(pem, 'key'), fault, out);
    if (err < 0)
        throw lib.error('key', err, lib.textAt(fault.text));
    try {
        return lib.make('key', 'onward_signer_new', host.desk, out[0], null);
    } finally {
        lib.call('onward_key_free', out[0]); // the signer has counted it
    }
}

function signerOpts(lib, s) {
    return lib.open('onward_dkim_signer_opts', {
        domain: need(s.domain, 'domain'),
        selector: need(s.selector, 'selector'),
        identity: str(s.identity, 'identity'),
        fields: str(s.fields?.join(':'), 'fields'),
        listing: choice(s.listing, 'listing', LISTINGS),
        time_s: count(s.time, 'time'),
        expire_s: count(s.expire, 'expire'),
    });
}

function free(lib, signers) {
    for (const signer of signers)
        lib.call('onward_signer_free', signer);
}

/** One signer of one or several signatures, fed with the message. */
function startSigner(host, message, signatures, number, keys) {
    const { lib } = host;
    let signer = null;
    try {
        for (const s of signatures) {
            const opts = signerOpts(lib, s);
            keys.push(openSigner(host, s.key));
            if (signer === null)
                signer = lib.make('sign', 'onward_dkim_signer_new', keys[0], opts,
                    lib.table('onward_dkim_signer_host', number, { done: 'done' }));
            else
                lib.must('sign', 'onward_dkim_signer_add', signer, keys.at(-1), opts);
        }
        lib.must('message', 'onward_dkim_signer_feed', signer, message, message.length);
        const err = lib.call('onward_dkim_signer_finish', signer);
        if (err < 0)
            throw lib.error('message', err,
                textOf(lib.call('onward_dkim_signer_fault', signer)));
        return signer;
    } catch (error) {
        if (signer !== null)
            lib.call('onward_dkim_signer_free', signer);
        free(lib, keys);
        throw error;
    }
}

export function sign(host, given, signatures) {
    const { lib } = host;
    host.check();
    const message = octets(given, 'message');
    const all = Array.isArray(signatures) ? signatures : [signatures];
    if (all.length === 0)
        throw wrong('sign', signatures, 'a signature');
    for (const s of all)
        options(s ?? null, 'sign', SIGNATURE);
    const keys = []; // until it is done
    return host.operate({
        start: (number) => startSigner(host, message, all, number, keys),
        finish: (signer, status) => {
            if (status < 0)
                throw lib.error('sign', status);
            return Buffer.concat([Buffer.from(textOf(
                lib.call('onward_dkim_signer_field', signer))), message]);
        },
        free: (signer) => {
            lib.call('onward_dkim_signer_free', signer);
            free(lib, keys);
        },
    });
}

/** Make the sealer while the verifier, whose texts it takes, is there. */
function startSealer(host, message, s, verifier, number, keys) {
    const { lib } = host;
    const opts = lib.open('onward_arc_sealer_opts', {
        domain: need(s.domain, 'domain'), selector: need(s.selector, 'selector'),
        fields: str(s.fields?.join(':'), 'fields'),
        time_s: count(s.time, 'time'), expire_s: count(s.expire, 'expire'),
        listing: choice(s.listing, 'listing', LISTINGS),
    });
    const found = { ...opts };
    lib.must('seal', 'onward_verifier_sealing', verifier, found);
    // What came back points into the verifier; what went in is ours again.
    const { domain, selector, fields } = opts;
    keys.push(openSigner(host, s.key));
    let sealer = null;
    try {
        sealer = lib.make('seal', 'onward_arc_sealer_new', keys[0],
            { ...found, domain, selector, fields },
            lib.table('onward_arc_sealer_host', number, { done: 'done' }));
        lib.must('message', 'onward_arc_sealer_feed', sealer, message, message.length);
        lib.must('seal', 'onward_arc_sealer_finish', sealer);
    } catch (error) {
        if (sealer !== null)
            lib.call('onward_arc_sealer_free', sealer);
        free(lib, keys);
        throw error;
    }
    return sealer;
}

export async function seal(host, given, s, facts) {
    const { lib } = host;
    const message = Buffer.from(octets(given, 'message'));
    options(s ?? null, 'seal', SEAL);
    const checked = options(facts, 'seal', FACTS);
    const keys = [];
    const sealed = await withVerifier(host, message, checked, (verifier) => ({
        // Inside an object: the verifier is not to wait for it.
        promise: host.operate({
            start: (number) => startSealer(host, message, s, verifier, number, keys),
            finish: (sealer, status) => {
                if (status < 0)
                    throw lib.error('seal', status);
                return textOf(lib.call('onward_arc_sealer_fields', sealer));
            },
            free: (sealer) => {
                lib.call('onward_arc_sealer_free', sealer);
                free(lib, keys);
            },
        }),
    })).catch((error) => {
        // A chain that was sealed as failed gets no more sets (RFC 8617 5.1).
        if (error.code === 'ONWARD_ENOENT')
            return { promise: '' };
        throw error;
    });
    return Buffer.concat([Buffer.from(await sealed.promise), message]);
}
