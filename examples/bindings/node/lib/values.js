// From JavaScript's values to the library's, and back. What cannot be meant is
// refused here, before any C sees it.
import koffi from 'koffi';

const NOTHING = Object.freeze({ data: null, len: 0 });
const LONE_SURROGATE = /\p{Surrogate}/u;

function kind(value) {
    return value === null ? 'null' : Array.isArray(value) ? 'an array'
        : `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`;
}

export function wrong(what, value, expected) {
    return new TypeError(`${what}: ${kind(value)}, expected ${expected}`);
}

function fromBuffer(buffer) {
    return buffer.length === 0 ? NOTHING : { data: buffer, len: buffer.length };
}

function encode(value, what) {
    if (LONE_SURROGATE.test(value))
        throw new TypeError(`${what}: a lone surrogate, expected whole characters`);
    return Buffer.from(value, 'utf8');
}

/** A struct onward_str of a text; absent is empty. */
export function str(value, what) {
    if (value === undefined || value === null)
        return NOTHING;
    if (typeof value !== 'string')
        throw wrong(what, value, 'a string');
    if (value.includes('\0'))
        throw new TypeError(`${what}: a NUL, expected text`);
    return fromBuffer(encode(value, what));
}

/** The same of one that must be there. */
export function need(value, what) {
    const got = str(value, what);
    if (got.len === 0)
        throw value === '' ? new TypeError(`${what}: empty, expected a text`)
            : wrong(what, value, 'a string');
    return got;
}

/** Octets of a Buffer, a Uint8Array or a string: a message, a file. */
export function octets(value, what) {
    if (typeof value === 'string')
        return encode(value, what);
    if (value instanceof Uint8Array)
        return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    throw wrong(what, value, 'a Buffer, a Uint8Array or a string');
}

export function strOfOctets(value, what) {
    return fromBuffer(octets(value, what));
}

/** A size or a time: a whole number, not below 0; absent is 0, the default. */
export function count(value, what) {
    if (value === undefined || value === null)
        return 0;
    if (!Number.isSafeInteger(value) || value < 0)
        throw wrong(what, value, 'a whole number, 0 or more');
    return value;
}

export function flag(value, what) {
    if (value === undefined || value === null)
        return 0;
    if (typeof value !== 'boolean')
        throw wrong(what, value, 'true or false');
    return value ? 1 : 0;
}

/** An object of options; keys that nobody knows are mistakes. */
export function options(value, what, known) {
    if (value === undefined)
        return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw wrong(what, value, 'an object');
    for (const key of Object.keys(value)) {
        if (!known.includes(key))
            throw new TypeError(
                `${what}: no such option "${key}", expected ${known.join(', ')}`);
    }
    return value;
}

/** One of some words, by its place; absent is 0. */
export function choice(value, what, words) {
    if (value === undefined)
        return 0;
    const at = words.indexOf(value);
    if (at < 0)
        throw new TypeError(`${what}: ${JSON.stringify(value)}, expected ` +
            words.map((w) => JSON.stringify(w)).join(', '));
    return at;
}

/** Octets at an address, copied. */
export function copy(pointer, length) {
    const len = Number(length);
    if (len === 0 || pointer === null)
        return Buffer.alloc(0);
    return Buffer.from(new Uint8Array(koffi.view(pointer, len)));
}

/** A struct onward_str as octets, as text. */
export function bytesOf(value) {
    return copy(value.data, value.len);
}

export function textOf(value) {
    return bytesOf(value).toString('utf8');
}

/** A text in a fixed array, up to its NUL. */
export function fixed(array) {
    const end = array.indexOf(0);
    return Buffer.from(array.subarray(0, end < 0 ? array.length : end))
        .toString('utf8');
}
