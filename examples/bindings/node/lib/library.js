// The shared library: found, judged by its version, and called by name.
import fs from 'node:fs';
import koffi from 'koffi';
import { Declarations } from './declarations.js';
import { OnwardError, OnwardRefusal } from './errors.js';
import { fixed } from './values.js';

/** The oldest library that this binding works with. */
export const NEEDS = '0.1.0';

const LIBRARIES = ['libonward.so.0', '/usr/local/lib/libonward.so.0'];
const DECLARATIONS = ['/usr/share/onward/onward.ffi.json',
    '/usr/local/share/onward/onward.ffi.json'];

function isOlder(version, than) {
    const a = version.split('.').map(Number);
    const b = than.split('.').map(Number);
    for (let i = 0; i < 3; i++) {
        if ((a[i] || 0) !== (b[i] || 0))
            return (a[i] || 0) < (b[i] || 0);
    }
    return false;
}

function loadFirst(paths) {
    let why;
    for (const path of paths) {
        try {
            return koffi.load(path);
        } catch (error) {
            why = error;
        }
    }
    throw new OnwardError('NOT_FOUND',
        `${paths.join(', ')}: no such library; set ONWARD_LIBRARY`,
        { cause: why });
}

function readFirst(paths) {
    const path = paths.find((p) => fs.existsSync(p));
    if (path === undefined)
        throw new OnwardError('NOT_FOUND', `${paths.join(', ')}: no such file; ` +
            'set ONWARD_DECLARATIONS to onward.ffi.json');
    return fs.readFileSync(path, 'utf8');
}

function versionOf(library) {
    try {
        return library.func('onward_version', 'const char *', [])();
    } catch (error) {
        throw new OnwardError('VERSION', 'not a libonward', { cause: error });
    }
}

/** What all objects of one library share. */
export class Library {
    #library;
    #functions = new Map();
    #sizes = new Map();
    #callbacks = new Map();
    #live = new Map(); // number -> who is called back
    #last = 0;
    #depth = 0; // of calls, as callbacks may call
    /** What callbacks have thrown, for call() to throw again. */
    #thrown = [];

    constructor({ library, declarations } = {}) {
        const path = library ?? process.env.ONWARD_LIBRARY;
        this.#library = loadFirst(path === undefined ? LIBRARIES : [path]);
        this.version = versionOf(this.#library);
        if (isOlder(this.version, NEEDS))
            throw new OnwardError('VERSION',
                `libonward ${this.version}, expected ${NEEDS} or newer`);
        const file = declarations ?? process.env.ONWARD_DECLARATIONS;
        this.types = new Declarations(
            readFirst(file === undefined ? DECLARATIONS : [file]));
        this.constants = this.types.constants;
    }

    #function(name) {
        let found = this.#functions.get(name);
        if (found === undefined) {
            found = this.#library.func(name, ...this.types.signature(name));
            this.#functions.set(name, found);
        }
        return found;
    }

    /** Call a function; what a callback has thrown meanwhile is thrown. */
    call(name, ...args) {
        let result;
        this.#depth++;
        try {
            result = this.#function(name)(...args);
        } finally {
            this.#depth--;
        }
        if (this.#thrown.length > 0) {
            const cause = this.#thrown[0];
            this.#thrown = [];
            throw new OnwardError('CALLBACK',
                `a callback has thrown: ${cause?.message ?? cause}`, { cause });
        }
        return result;
    }

    /** Nothing is freed below a call that may still look at it. */
    checkIdle(what) {
        if (this.#depth > 0)
            throw new OnwardError('ONWARD_ESTATE', `${what} inside a callback`);
    }

    /** The same, where a negative result is an error. what: of which value. */
    must(what, name, ...args) {
        const result = this.call(name, ...args);
        if (typeof result === 'number' && result < 0)
            throw this.error(what, result);
        return result;
    }

    /** A constructor: its last argument is where the object goes. */
    make(what, name, ...args) {
        const out = [null];
        this.must(what, name, ...args, out);
        return out[0];
    }

    /** Call a function that the library has put into a table. */
    callPointer(struct, member, pointer, ...args) {
        const key = `${struct}.${member}`;
        let type = this.#functions.get(key);
        if (type === undefined) {
            type = this.types.outward(struct, member);
            this.#functions.set(key, type);
        }
        return koffi.call(pointer, type, ...args);
    }

    error(what, number, more) {
        const code = this.#function('onward_error_name')(number);
        const text = this.#function('onward_strerror')(number);
        return new OnwardError(code, `${what}: ${more || text}`);
    }

    refusal() {
        return this.open('onward_refusal');
    }

    /** The refusal as an exception. */
    refused(refusal) {
        const code = Number(refusal.code);
        return new OnwardRefusal(this.call('onward_refusal_name', code),
            this.call('onward_refusal_text', code), fixed(refusal.what));
    }

    size(struct) {
        let size = this.#sizes.get(struct);
        if (size === undefined) {
            size = koffi.sizeof(this.types.struct(struct));
            this.#sizes.set(struct, size);
        }
        return size;
    }

    /** An open struct: its size, and the members given. */
    open(struct, members) {
        return { size: this.size(struct), ...members };
    }

    /** Static text ending in NUL. */
    textAt(pointer) {
        return pointer === null ? '' : koffi.decode.string(pointer);
    }

    decode(struct, pointer) {
        return koffi.decode(pointer, this.types.struct(struct));
    }

    // ---- Callbacks: one trampoline for each member of a table, for ever; who
    // is meant is a number in the place of the user pointer.

    /** Be called back: the number to give as `user`. */
    enlist(who) {
        this.#live.set(++this.#last, who);
        return this.#last;
    }

    dismiss(number) {
        this.#live.delete(number);
    }

    /** Note what a callback has thrown. */
    blame(error) {
        this.#thrown.push(error);
    }

    /** A function of a table: who[method](...) is called; failing is what C
     * hears when it throws, or when nobody is there any more. */
    callback(struct, member, method, failing = 0) {
        const key = `${struct}.${member}.${method}`;
        let found = this.#callbacks.get(key);
        if (found === undefined) {
            const run = (user, ...args) => {
                try {
                    const who = this.#live.get(Number(user ?? 0));
                    return who === undefined ? failing
                        : who[method](...args) ?? 0;
                } catch (error) {
                    this.blame(error);
                    return failing;
                }
            };
            found = koffi.register(
                run, koffi.pointer(this.types.callback(struct, member)));
            this.#callbacks.set(key, found);
        }
        return found;
    }

    /** A table of callbacks for the one with that number: { member: method }. */
    table(struct, number, methods, failing = -1) {
        const members = { user: BigInt(number) };
        for (const [member, method] of Object.entries(methods))
            members[member] = this.callback(struct, member, method, failing);
        return this.open(struct, members);
    }
}

const opened = new Map();

/** One for each pair of files: trampolines are not given back. */
export function openLibrary(options = {}) {
    const key = JSON.stringify([options.library ?? process.env.ONWARD_LIBRARY,
        options.declarations ?? process.env.ONWARD_DECLARATIONS]);
    let found = opened.get(key);
    if (found === undefined) {
        found = new Library(options);
        opened.set(key, found);
    }
    return found;
}
