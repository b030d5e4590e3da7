// npm's mailauth as a peer: peers.py says what goes in and out.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const [zone, domain, modules] = process.argv.slice(2);
const { dkimSign } = require(path.join(modules, 'mailauth/lib/dkim/sign'));
const { dkimVerify } = require(path.join(modules, 'mailauth/lib/dkim/verify'));
const { arc, sealMessage } = require(path.join(modules, 'mailauth/lib/arc'));

const txt = new Map();
for (const line of fs.readFileSync(zone, 'utf8').split('\n')) {
    const found = /^(\S+) TXT (.*)/.exec(line);
    if (found) {
        txt.set(found[1], found[2].match(/"[^"]*"/g).map(s => s.slice(1, -1)));
    }
}

const resolver = async (name, type) => {
    if (type === 'TXT' && txt.has(name)) {
        return [txt.get(name)];
    }
    const error = new Error('no such name');
    error.code = 'ENOTFOUND';
    throw error;
};

async function sign(message, out, key, selector, algorithm, canonicalization) {
    const made = await dkimSign(fs.readFileSync(message), {
        canonicalization,
        algorithm,
        signTime: new Date(),
        signatureData: [{ signingDomain: domain, selector, privateKey: fs.readFileSync(key) }]
    });
    if (made.errors.length) {
        throw made.errors[0].err || new Error(made.errors[0].message);
    }
    fs.writeFileSync(out, Buffer.from(made.signatures, 'binary'));
    return 'ok';
}

async function verify(message, selector) {
    const { results } = await dkimVerify(fs.readFileSync(message), { resolver });
    for (const one of results) {
        if (one.selector === selector) {
            return one.status.result === 'pass' ? 'pass' : `fail ${one.status.result} ${one.status.comment || ''}`;
        }
    }
    return 'fail no signature seen';
}

async function chain(message) {
    const found = await dkimVerify(fs.readFileSync(message), { resolver });
    const { status } = await arc(found.arc, { resolver });
    return status.result === 'fail' ? `fail ${status.comment || ''}` : status.result;
}

// As its authenticate() decides whether to seal.
async function seal(message, out, key, selector, algorithm, id, cv) {
    const found = await dkimVerify(fs.readFileSync(message), { resolver });
    const { status } = await arc(found.arc, { resolver });
    if (status.result === 'fail' && !status.shouldSeal) {
        return 'fail not to be sealed';
    }
    const fields = await sealMessage(fs.readFileSync(message), {
        signingDomain: domain,
        selector,
        privateKey: fs.readFileSync(key),
        algorithm,
        // A second of the past: it rounds, and rspamd takes none of the future.
        signTime: new Date(Date.now() - 1000),
        cv,
        authResults: `${id}; arc=${cv}`
    });
    fs.writeFileSync(out, fields);
    return 'ok';
}

const commands = { sign, verify, chain, seal };

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [what, ...args] = line.split('\t');
        let said;
        try {
            said = await commands[what](...args);
        } catch (error) {
            said = `fail ${error.message}`;
        }
        process.stdout.write(said.replace(/[\r\n]+/g, ' ') + '\n');
    }
})();
