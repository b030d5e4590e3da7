// What a wrangler file says, as far as this host has it. A key that nobody knows
// is a mistake; so is a binding that is not here.
import fs from 'node:fs';
import path from 'node:path';
import { parseCron } from './cron.js';
import { ConfigError, readTree } from './tree.js';

// Of the service's own surroundings: without a meaning here.
const IGNORED = ['$schema', 'account_id', 'addresses', 'build', 'compatibility_date',
    'compatibility_flags', 'dev', 'env', 'find_additional_modules', 'keep_vars', 'limits',
    'logpush', 'minify', 'no_bundle', 'node_compat', 'observability', 'placement',
    'preview_urls', 'route', 'routes', 'rules', 'send_metrics', 'tail_consumers',
    'tsconfig', 'upload_source_maps', 'usage_model', 'workers_dev', 'zone_id', 'alias'];
const ABSENT = ['ai', 'analytics_engine_datasets', 'assets', 'browser', 'd1_databases',
    'dispatch_namespaces', 'durable_objects', 'hyperdrive', 'kv_namespaces', 'migrations',
    'mtls_certificates', 'pipelines', 'queues', 'r2_buckets', 'secrets_store_secrets',
    'services', 'site', 'unsafe', 'vectorize', 'version_metadata', 'workflows'];
const OWN = ['name', 'main', 'vars', 'send_email', 'triggers'];
const SEND = ['name', 'destination_address', 'allowed_destination_addresses',
    'allowed_sender_addresses', 'remote'];

/** How many changes make a into b. */
function distance(a, b) {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
        const next = [i];
        for (let j = 1; j <= b.length; j++)
            next.push(Math.min(row[j] + 1, next[j - 1] + 1,
                row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
        row = next;
    }
    return row[b.length];
}

class Reader {
    constructor(file) {
        this.file = file;
    }

    fail(node, text) {
        throw new ConfigError(this.file, node.line, text);
    }

    string(node, what) {
        if (typeof node.value !== 'string')
            this.fail(node, `${what}: ${node.kind}, expected a string`);
        return node.value;
    }

    strings(node, what) {
        if (node.items === null)
            this.fail(node, `${what}: ${node.kind}, expected an array of strings`);
        return node.items.map((item, i) => this.string(item, `${what}[${i}]`));
    }

    table(node, what, known) {
        if (node.entries === null)
            this.fail(node, `${what}: ${node.kind}, expected a table`);
        for (const [key, value] of node.entries) {
            if (known.includes(key))
                continue;
            const near = known.filter((k) => distance(k, key) <= 2);
            const expected = near.length > 0 ? near : known;
            this.fail(value, `${what === '' ? '' : `${what}.`}${key}: no such key, ` +
                `expected ${expected.slice(0, 8).join(', ')}`);
        }
        return node.entries;
    }

    sendEmail(node) {
        if (node.items === null)
            this.fail(node, `send_email: ${node.kind}, expected an array of tables`);
        const names = new Set();
        return node.items.map((item, i) => {
            const what = `send_email[${i}]`;
            const e = this.table(item, what, SEND);
            if (!e.has('name'))
                this.fail(item, `${what}: without a name`);
            const one = { name: this.string(e.get('name'), `${what}.name`) };
            if (!/^[A-Za-z_$][\w$]*$/.test(one.name) || names.has(one.name))
                this.fail(e.get('name'), `${what}.name: "${one.name}", expected a ` +
                    'name that no other binding has');
            names.add(one.name);
            if (e.has('destination_address') && e.has('allowed_destination_addresses'))
                this.fail(e.get('allowed_destination_addresses'), `${what}: expected ` +
                    'destination_address or allowed_destination_addresses');
            if (e.has('destination_address'))
                one.destination = this.string(e.get('destination_address'),
                    `${what}.destination_address`);
            for (const [key, to] of [['allowed_destination_addresses', 'destinations'],
                ['allowed_sender_addresses', 'senders']]) {
                if (e.has(key))
                    one[to] = this.strings(e.get(key), `${what}.${key}`);
            }
            return one;
        });
    }

    crons(node) {
        const e = this.table(node, 'triggers', ['crons']);
        if (!e.has('crons'))
            return [];
        const texts = this.strings(e.get('crons'), 'triggers.crons');
        return texts.map((text, i) => {
            try {
                return parseCron(text);
            } catch (error) {
                return this.fail(e.get('crons').items[i],
                    `triggers.crons[${i}]: ${error.message}`);
            }
        });
    }

    read(text) {
        const root = readTree(this.file, text);
        const e = this.table(root, '', [...OWN, ...IGNORED, ...ABSENT]);
        for (const key of ABSENT) {
            if (e.has(key))
                this.fail(e.get(key), `${key}: not in this host`);
        }
        if (!e.has('main'))
            this.fail(root, 'without main, expected the path of a module');
        const main = path.resolve(path.dirname(this.file),
            this.string(e.get('main'), 'main'));
        if (!/\.m?js$/.test(main))
            this.fail(e.get('main'), `main: "${e.get('main').value}", expected a .js ` +
                'or .mjs file; build others first (wrangler deploy --dry-run --outdir)');
        if (!fs.existsSync(main))
            this.fail(e.get('main'), `main: "${e.get('main').value}", no such file`);
        return {
            file: this.file, main,
            name: e.has('name') ? this.string(e.get('name'), 'name') : 'worker',
            vars: e.has('vars') ? this.vars(e.get('vars')) : {},
            sends: e.has('send_email') ? this.sendEmail(e.get('send_email')) : [],
            crons: e.has('triggers') ? this.crons(e.get('triggers')) : [],
        };
    }

    vars(node) {
        if (node.entries === null)
            this.fail(node, `vars: ${node.kind}, expected a table`);
        return node.plain();
    }
}

/** Read a wrangler.toml, wrangler.json or wrangler.jsonc. */
export function readConfig(file) {
    return new Reader(file).read(fs.readFileSync(file, 'utf8'));
}
