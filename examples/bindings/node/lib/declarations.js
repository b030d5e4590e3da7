// Reads onward.ffi.json, which is generated from the library's headers: what it
// declares becomes koffi types.
import koffi from 'koffi';

const NUMBERS = new Map([
    ['void', 'void'], ['int', 'int'], ['size_t', 'size_t'],
    ['int32_t', 'int32_t'], ['uint32_t', 'uint32_t'], ['int64_t', 'int64_t'],
    ['uint64_t', 'uint64_t'], ['uint8_t', 'uint8_t'], ['char', 'uint8_t'],
    ['unsigned char', 'uint8_t'],
]);

// koffi's names are for a whole process, and those that it makes up itself can
// meet: each type has one of its own.
let named = 0;
const unique = (name) => `${name}_${++named}`;

/** "const struct onward_str *[4]" in its parts. */
function read(type) {
    const m = /^(const )?(?:(struct|enum) )?([\w ]+?) ?(\**)(?:\[(\d+)\])?$/.exec(type);
    if (m === null)
        throw new Error(`onward.ffi.json: "${type}", expected a type`);
    return { isConst: m[1] !== undefined, kind: m[2] ?? '', base: m[3],
        stars: m[4].length, length: m[5] === undefined ? 0 : Number(m[5]) };
}

/** Structs and functions as types; constants as numbers. */
export class Declarations {
    #said;
    #structs = new Map(); // name -> type, once it was asked for

    constructor(text) {
        this.#said = JSON.parse(text);
        /** Numbers; those that a double does not hold are BigInts. */
        this.constants = Object.fromEntries(Object.entries(this.#said.constants)
            .map(([name, n]) => [name, typeof n === 'string' ? BigInt(n) : n]));
    }

    #isOpen(t) {
        return t.kind === 'struct' && this.#said.structs[t.base] !== null;
    }

    /** Of a member or a result. Pointers are addresses. */
    #value(type) {
        const t = read(type);
        const one = t.stars > 0 ? 'void *' : t.kind === 'enum' ? 'int'
            : t.kind === 'struct' ? this.struct(t.base) : NUMBERS.get(t.base);
        return t.length > 0 ? koffi.array(one, t.length, 'Typed') : one;
    }

    /** Of an argument: what the library fills comes back changed. */
    #argument(type) {
        const t = read(type);
        if (t.stars === 2)
            return koffi.out(koffi.pointer('void *'));
        if (t.stars === 1 && this.#isOpen(t)) {
            const pointer = koffi.pointer(this.struct(t.base));
            return t.isConst ? pointer : koffi.inout(pointer);
        }
        if (t.stars === 1 && !t.isConst && /^(size_t|u?int\d+_t|int)$/.test(t.base))
            return koffi.out(koffi.pointer(NUMBERS.get(t.base)));
        return this.#value(type);
    }

    /** Tables inside tables are given as objects. */
    #member(struct, type) {
        if (typeof type !== 'string')
            return 'void *'; // a callback
        const t = read(type);
        const isTable = t.stars === 1 && t.isConst && this.#isOpen(t) &&
            t.base !== struct;
        return isTable ? koffi.pointer(this.struct(t.base)) : this.#value(type);
    }

    /** The type of an open struct, made when it is first asked for. */
    struct(name) {
        let found = this.#structs.get(name);
        if (found === undefined) {
            found = koffi.struct(unique(name), Object.fromEntries(
                this.#said.structs[name].map(([member, type]) =>
                    [member, this.#member(name, type)])));
            this.#structs.set(name, found);
        }
        return found;
    }

    #callback(struct, member, argument) {
        const [, { returns, args }] =
            this.#said.structs[struct].find(([name]) => name === member);
        return koffi.proto(unique(member), this.#value(returns),
            args.map(([, type]) => argument(type)));
    }

    /** The type of a callback that is ours. */
    callback(struct, member) {
        return this.#callback(struct, member, (type) => this.#value(type));
    }

    /** The type of a member that we call. */
    outward(struct, member) {
        return this.#callback(struct, member, (type) => this.#argument(type));
    }

    /** For library.func(): result and arguments. */
    signature(name) {
        const { returns, args } = this.#said.functions[name];
        return [returns === 'const char *' ? returns : this.#value(returns),
            args.map(([, type]) => this.#argument(type))];
    }
}
