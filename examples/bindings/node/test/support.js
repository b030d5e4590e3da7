// What the tests share. ONWARD_TEST_DATA: tests/data of the sources.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { crlf } from '../lib/index.js';

const here = path.dirname(fileURLToPath(import.meta.url));
export const DATA = process.env.ONWARD_TEST_DATA ??
    path.join(here, '../../../../tests/data');

export const read = (name) => fs.readFileSync(path.join(DATA, name));
export const ZONE = read('cli/zone.txt').toString();
export const SIGNED = crlf(read('cli/signed.eml'));
export const KEY = read('key/ed25519.pem').toString();
/** What the good message came with. */
export const FACTS = { ip: '192.0.2.1', from: 'alice@example.com',
    helo: 'mail.example.com' };

const der = execFileSync('openssl', ['pkey', '-in', path.join(DATA, 'key/ed25519.pem'),
    '-pubout', '-outform', 'DER']);
/** The record of KEY at s._domainkey.zone.example. */
export const KEY_RECORD = 's._domainkey.zone.example. 60 IN TXT ' +
    `"v=DKIM1; k=ed25519; p=${der.subarray(-32).toString('base64')}"\n`;

export const RULES = {
    version: 1,
    zones: [{ name: 'zone.example', rules: [
        ['one', { type: 'forward', value: ['box@one.example'] }],
        ['code', { type: 'handler', value: ['robot'] }],
        ['void', { type: 'drop' }],
        ['no', { type: 'reject', code: 550, enhanced: '5.7.1', text: 'not wanted' }],
    ].map(([user, action]) => ({
        matchers: [{ type: 'literal', field: 'to', value: `${user}@zone.example` }],
        actions: [action] })) }],
    addresses: [{ email: 'box@one.example', verified: true },
        { email: 'box@two.example', verified: true }],
};
