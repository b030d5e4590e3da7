// node worker-host --config wrangler.toml: runs an Email Worker behind
// onward-forwarder. README.md has the whole of it.
import { spawn } from 'node:child_process';
import module from 'node:module';
import path from 'node:path';
import { webcrypto } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Onward } from '../bindings/node/lib/index.js';
import { readConfig } from './lib/config.js';
import { schedule } from './lib/cron.js';
import { listenHttp } from './lib/http.js';
import { Invocation } from './lib/invocation.js';
import { readFields } from './lib/message.js';
import { listen } from './lib/server.js';
import { Ticks } from './lib/tick.js';

const VERSION = '0.1.0';
const HOOKS = new URL('./lib/hooks.js', import.meta.url);
const HOOKED = 'ONWARD_WORKER_HOST_HOOKED';
const USAGE = `usage: node worker-host --config FILE [--socket PATH] [--check]
                        [--limit-s N] [--smtp HOST:PORT --tick ADDRESS]
                        [--http HOST:PORT] [--run-cron CRON] [--help] [--version]

  --config FILE      wrangler.toml, wrangler.json or wrangler.jsonc
  --socket PATH      where the forwarder finds it: handler = NAME unix:PATH
                     (default: worker.sock beside the configuration)
  --check            read the configuration and load the worker, nothing else
  --limit-s N        how long an event may take (default: 25)
  --smtp HOST:PORT   where the forwarder listens, and
  --tick ADDRESS     an address whose rule names this handler: the way out of
                     scheduled() and fetch()
  --http HOST:PORT   answer requests by fetch(); port 0: any that is free
  --run-cron CRON    run scheduled() once at the start, as if CRON were due
`;

class UsageError extends Error {}

function readArgs() {
    const text = { type: 'string' };
    const flag = { type: 'boolean' };
    try {
        const { values } = parseArgs({ options: { config: text, socket: text, check: flag,
            'limit-s': text, smtp: text, tick: text, http: text, 'run-cron': text, help: flag,
            version: flag } });
        return values;
    } catch (error) {
        throw new UsageError(error.message);
    }
}

function checkArgs(args) {
    if (args.config === undefined)
        throw new UsageError('--config is missing');
    const limit = Number(args['limit-s'] ?? 25);
    if (!(limit >= 0.1 && limit <= 600))
        throw new UsageError(`--limit-s ${args['limit-s']}, expected 0.1 to 600`);
    if ((args.smtp === undefined) !== (args.tick === undefined))
        throw new UsageError('expected --smtp and --tick together');
    return { limitMs: limit * 1000, smtp: address(args, 'smtp'), http: address(args, 'http') };
}

function address(args, name) {
    if (args[name] === undefined)
        return null;
    const m = /^(.+):(\d+)$/.exec(args[name]);
    if (m === null)
        throw new UsageError(`--${name} ${args[name]}, expected HOST:PORT`);
    return { host: m[1].replace(/^\[|\]$/g, ''), port: Number(m[2]) };
}

/** Node 18 has module hooks by an option of its own only: start anew with it. */
function startAnew() {
    const child = spawn(process.execPath,
        ['--no-warnings', '--loader', HOOKS.href, ...process.execArgv, ...process.argv.slice(1)],
        { stdio: 'inherit', env: { ...process.env, [HOOKED]: '1' } });
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
        process.on(signal, () => child.kill(signal));
    child.on('exit', (code, signal) => { process.exitCode = signal === null ? code : 1; });
}

async function loadWorker(config) {
    const worker = (await import(pathToFileURL(config.main))).default;
    if (!['email', 'scheduled', 'fetch'].some((name) => typeof worker?.[name] === 'function'))
        throw new Error(`${config.main}: expected export default with email(), scheduled() ` +
            'or fetch()');
    if (config.crons.length > 0 && typeof worker.scheduled !== 'function')
        throw new Error(`${config.file}: triggers.crons, but the worker has no scheduled()`);
    return worker;
}

/** All that runs. */
class Host {
    constructor(config, worker, args, onward) {
        Object.assign(this, { config, worker, onward, ...checkArgs(args) });
        this.ticks = args.tick === undefined ? null : new Ticks(this.smtp, args.tick);
    }

    async email(event, raw, steps) {
        const job = this.ticks?.find(readFields(raw));
        const invocation = new Invocation(this.onward, steps, event, raw);
        if (job !== undefined)
            return invocation.run(() => job(invocation), this.limitMs);
        if (typeof this.worker.email !== 'function')
            throw new Error('Handler does not export an email() function');
        try {
            return await invocation.run(() => this.worker.email(invocation.message,
                invocation.env(this.config), invocation.ctx), this.limitMs);
        } catch (error) {
            console.error('email():', error);
            throw error;
        }
    }

    /** What no message has begun: in one of its own, or without a way out. */
    async #begin(job) {
        if (this.ticks !== null)
            return this.ticks.send(job);
        const invocation = new Invocation(this.onward, null, {}, null);
        return invocation.run(() => job(invocation), this.limitMs);
    }

    /** A trigger is due. */
    async due(cron, scheduledTime) {
        try {
            await this.#begin((invocation) => this.worker.scheduled(
                { cron, scheduledTime, type: 'scheduled', noRetry() {} },
                invocation.env(this.config), invocation.ctx));
        } catch (error) {
            console.error(`scheduled(), ${cron}:`, error);
        }
    }

    /** A request of HTTP. */
    async fetch(request) {
        let response;
        try {
            await this.#begin(async (invocation) => {
                response = await this.worker.fetch(request, invocation.env(this.config),
                    invocation.ctx);
            });
            return response;
        } catch (error) {
            console.error('fetch():', error);
            return new Response('Internal Server Error', { status: 500 });
        }
    }
}

async function serve(args) {
    const config = readConfig(args.config);
    const { limitMs } = checkArgs(args);
    const worker = await loadWorker(config);
    if (args.check)
        return;
    const onward = new Onward({ records: '' });
    const host = new Host(config, worker, args, onward);
    const socket = path.resolve(args.socket ??
        path.join(path.dirname(args.config), 'worker.sock'));
    const server = await listen(socket, (...event) => host.email(...event));
    const web = host.http === null ? null
        : await listenHttp(host.http, (request) => host.fetch(request));
    const due = new Set();
    const run = (cron, time) => {
        const done = host.due(cron, time).finally(() => due.delete(done));
        due.add(done);
    };
    const stop = schedule(config.crons, (cron, time) => run(cron.text, time));
    process.on('unhandledRejection', (error) => console.error('unhandled rejection:', error));
    const end = async () => {
        stop();
        web?.server.close();
        await Promise.race([Promise.all(due),
            new Promise((resolve) => { setTimeout(resolve, limitMs).unref(); })]);
        await server.drain(limitMs);
        onward.close();
        process.exit(0); // whatever the worker has left running
    };
    for (const signal of ['SIGTERM', 'SIGINT'])
        process.once(signal, end);
    console.log(`ready unix:${socket}${web === null ? '' : ` ${web.url}`}`);
    if (args['run-cron'] !== undefined)
        run(args['run-cron'], Date.now());
}

async function main() {
    let args;
    try {
        args = readArgs();
        if (args.help || args.version) {
            process.stdout.write(args.help ? USAGE : `onward-worker-host ${VERSION}\n`);
            return;
        }
        checkArgs(args);
        if (module.register !== undefined)
            module.register(HOOKS);
        else if (process.env[HOOKED] === undefined)
            return startAnew();
        delete process.env[HOOKED];
        globalThis.crypto ??= webcrypto; // Node 18
        await serve(args);
    } catch (error) {
        const text = error instanceof UsageError || error.name === 'ConfigError'
            ? error.message : error.stack ?? String(error);
        console.error(`worker-host: ${text}`);
        process.exitCode = 2;
    }
}

await main();
