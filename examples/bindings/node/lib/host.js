// The machine's side of the library: clock, random octets, log, DNS, and the
// turning of the desk. One desk, one thread: that of JavaScript.
import { randomFillSync } from 'node:crypto';
import koffi from 'koffi';
import { answerDns, nodeDns } from './dns.js';
import { OnwardError } from './errors.js';
import { remember, whenForgotten } from './forgotten.js';
import { openLibrary } from './library.js';
import { copy, options, strOfOctets, textOf, wrong } from './values.js';

const KNOWN = ['library', 'declarations', 'dns', 'servers', 'records', 'now',
    'log'];
const LEVELS = ['', 'error', 'warn', 'info', 'debug'];

/** Something that waits for its `done`. */
class Operation {
    constructor(host, work) {
        Object.assign(this, work);
        this.host = host;
        this.promise = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
    }

    /** As `done` of a table: the result is read once the desk has run. */
    done(handle, status) {
        this.status = status ?? 0;
        this.host.after(() => this.host.finish(this));
    }
}

/** Context, desk and resolver. Not for users: index.js has what they see. */
export class Host {
    #pending = new Set();
    #after = [];
    #timer = null;
    #kicked = false;

    constructor(given) {
        const o = options(given, 'options', KNOWN);
        for (const name of ['dns', 'log', 'now']) {
            if (o[name] !== undefined && typeof o[name] !== 'function' &&
                !(name === 'now' && Number.isSafeInteger(o.now)))
                throw wrong(name, o[name], 'a function');
        }
        this.lib = openLibrary(o);
        this.asks = o.dns ?? nodeDns(o.servers);
        this.isOffline = o.records !== undefined && o.dns === undefined &&
            o.servers === undefined;
        this.records = o.records;
        this.says = o.log;
        this.clock = o.now;
        this.ctx = this.desk = this.resolver = null;
        // Weak, so that a host that nobody closes can be collected.
        this.number = this.lib.enlist(weak(this));
        try {
            this.#open();
        } catch (error) {
            this.close();
            throw error;
        }
        const held = [this.lib, this.number, this.resolver, this.desk, this.ctx];
        this.token = whenForgotten(this, () => release(...held));
    }

    #open() {
        const { lib, number } = this;
        this.ctx = lib.make('context', 'onward_ctx_new', lib.open('onward_ctx_opts', {
            clock: lib.table('onward_clock', number, { now_s: 'nowS' }),
            random: lib.table('onward_random', number, { fill: 'fill' }),
            log: this.says === undefined ? null
                : lib.table('onward_log', number, { event: 'logged' }),
        }));
        this.desk = lib.make('desk', 'onward_desk_new', this.ctx, null);
        this.resolver = lib.make('resolver', 'onward_resolver_new', this.desk,
            lib.open('onward_resolver_opts', { allow_only_loaded: this.isOffline ? 1 : 0 }),
            lib.table('onward_resolver_host', number, { query: 'query' }));
        if (this.records !== undefined)
            this.#load(this.records);
    }

    #load(records) {
        const fault = this.lib.open('onward_dns_fault');
        const text = strOfOctets(records, 'records');
        const err = this.lib.call('onward_resolver_load', this.resolver, text, fault);
        if (err < 0)
            throw this.lib.error('records', err, fault.line > 0
                ? `line ${fault.line}: ${textOf(fault.text)}` : undefined);
    }

    get isClosed() {
        return this.ctx === null;
    }

    check() {
        if (this.isClosed)
            throw new OnwardError('CLOSED', 'used after close()');
    }

    /** Ends all that is under way. */
    close() {
        this.lib.checkIdle('close()');
        for (const operation of [...this.#pending])
            this.end(operation, new OnwardError('CLOSED', 'close() was called'));
        clearTimeout(this.#timer);
        const { number, resolver, desk, ctx } = this;
        this.ctx = this.desk = this.resolver = null;
        this.number = undefined;
        remember(this.token);
        if (number !== undefined)
            release(this.lib, number, resolver, desk, ctx);
    }

    // ---- What the library asks, inside its calls ---------------------------

    nowS() {
        const now = typeof this.clock === 'function' ? this.clock() : this.clock;
        if (now !== undefined && !Number.isSafeInteger(now))
            throw wrong('now', now, 'Unix seconds, a whole number');
        return now ?? Math.floor(Date.now() / 1000);
    }

    fill(data, len) {
        randomFillSync(new Uint8Array(koffi.view(data, Number(len))));
        return 0;
    }

    logged(pointer) {
        const event = this.lib.decode('onward_log_event', pointer);
        this.says({ level: LEVELS[Number(event.level)],
            module: koffi.decode.string(event.module),
            code: koffi.decode.string(event.code),
            detail: textOf(event.detail) });
    }

    query(token, name, length, type) {
        const question = { token, type, name: copy(name, length).toString('latin1') };
        this.after(() => answerDns(this, question));
        return 0;
    }

    // ---- The desk ------------------------------------------------------------

    /**
     * Begin what ends by a `done`. work.start(user) makes the object and
     * returns it; work.finish(handle, status) reads the result, work.free
     * frees it.
     */
    operate(work) {
        this.check();
        const operation = new Operation(this, work);
        operation.number = this.lib.enlist(operation);
        try {
            operation.handle = work.start(operation.number, operation);
        } catch (error) {
            this.lib.dismiss(operation.number);
            throw error;
        }
        this.#pending.add(operation);
        this.kick();
        return operation.promise;
    }

    /** It is over: with an error, or a value. */
    end(operation, error, value) {
        if (!this.#pending.delete(operation))
            return;
        this.lib.dismiss(operation.number);
        try {
            operation.free(operation.handle);
        } catch (thrown) {
            error ??= thrown; // of a callback, inside
        }
        if (error !== undefined)
            operation.reject(error);
        else
            operation.resolve(value);
    }

    /** What users wrote runs out of the library's callbacks: after the desk. */
    after(run) {
        this.#after.push(run);
    }

    async #do(run) {
        try {
            await run();
        } catch (error) {
            this.fail(error);
        }
    }

    /** Does it still wait? */
    waits(operation) {
        return this.#pending.has(operation);
    }

    finish(operation) {
        if (!this.#pending.has(operation))
            return;
        let value;
        try {
            value = operation.finish(operation.handle, operation.status);
        } catch (error) {
            this.end(operation, error);
            return;
        }
        this.end(operation, undefined, value);
    }

    /** Turn soon: something was asked, or answered. */
    kick() {
        if (this.#kicked || this.isClosed)
            return;
        this.#kicked = true;
        setImmediate(() => this.#turn());
    }

    #turn() {
        this.#kicked = false;
        if (this.isClosed)
            return;
        clearTimeout(this.#timer);
        try {
            while (this.lib.must('desk', 'onward_desk_run', this.desk,
                Math.floor(performance.now())) === 1);
        } catch (error) {
            this.fail(error);
        }
        for (const run of this.#after.splice(0))
            this.#do(run);
        this.#wait();
    }

    /** A fault of the host's own code: all that is under way hears of it. */
    fail(error) {
        for (const operation of [...this.#pending])
            this.end(operation, error);
    }

    #wait() {
        if (this.isClosed || this.#pending.size === 0 || this.#kicked)
            return;
        const at = Number(this.lib.call('onward_desk_deadline', this.desk));
        const wait = Math.min(Math.max(at - performance.now(), 0), 0x7fffffff);
        this.#timer = setTimeout(() => this.#turn(), Math.ceil(wait));
    }
}

/** The library must not be what keeps a host alive. */
function weak(host) {
    const reference = new WeakRef(host);
    const methods = ['nowS', 'fill', 'logged', 'query'];
    return Object.fromEntries(methods.map((name) => [name,
        (...args) => reference.deref()?.[name](...args)]));
}

function release(lib, number, resolver, desk, ctx) {
    lib.dismiss(number); // nothing is logged any more
    lib.call('onward_resolver_free', resolver);
    lib.call('onward_desk_free', desk);
    lib.call('onward_ctx_free', ctx);
}
