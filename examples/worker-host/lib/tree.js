// A TOML or JSONC file as values that know their lines.
import { parseTree, printParseErrorCode } from 'jsonc-parser';
import { parseTOML } from 'toml-eslint-parser';

/** What is wrong with a file, and where. */
export class ConfigError extends Error {
    constructor(file, line, text) {
        super(`${file}:${line}: ${text}`);
        this.name = 'ConfigError';
    }
}

/** A value: of a table, `entries` by key; of an array, `items`. */
class Node {
    constructor(line, value) {
        this.line = line;
        this.value = value;
        this.entries = null;
        this.items = null;
    }

    static table(line) {
        const node = new Node(line);
        node.entries = new Map();
        return node;
    }

    static array(line) {
        const node = new Node(line);
        node.items = [];
        return node;
    }

    get kind() {
        return this.entries !== null ? 'a table' : this.items !== null ? 'an array'
            : this.value === null ? 'null'
                : typeof this.value === 'object' ? 'a date' : `a ${typeof this.value}`;
    }

    /** As plain JavaScript. */
    plain() {
        if (this.entries !== null)
            return Object.fromEntries([...this.entries].map(([k, v]) => [k, v.plain()]));
        return this.items !== null ? this.items.map((i) => i.plain()) : this.value;
    }
}

// ---- TOML ---------------------------------------------------------------------

const lineOf = (node) => node.loc.start.line;
const nameOf = (key) => key.type === 'TOMLBare' ? key.name : key.value;

function tomlValue(node) {
    if (node.type === 'TOMLArray') {
        const array = Node.array(lineOf(node));
        array.items = node.elements.map(tomlValue);
        return array;
    }
    if (node.type === 'TOMLInlineTable') {
        const table = Node.table(lineOf(node));
        addAll(table, node.body);
        return table;
    }
    return new Node(lineOf(node), node.value);
}

function addAll(table, body) {
    for (const pair of body) {
        const keys = pair.key.keys.map(nameOf);
        let at = table;
        for (const key of keys.slice(0, -1)) {
            if (!at.entries.has(key))
                at.entries.set(key, Node.table(lineOf(pair)));
            at = at.entries.get(key);
        }
        const value = tomlValue(pair.value);
        value.line = lineOf(pair);
        at.entries.set(keys.at(-1), value);
    }
}

/** The place of a [table] or an [[array of them]]; the parser has seen to it that
 * there is one. */
function tableAt(root, path, line) {
    let at = root;
    path.forEach((key, i) => {
        const isArray = typeof path[i + 1] === 'number';
        const next = typeof key === 'number' ? at.items[key] : at.entries.get(key);
        if (next !== undefined) {
            at = next;
            return;
        }
        const made = isArray ? Node.array(line) : Node.table(line);
        if (typeof key === 'number')
            at.items.push(made);
        else
            at.entries.set(key, made);
        at = made;
    });
    return at;
}

function readToml(file, text) {
    let ast;
    try {
        ast = parseTOML(text);
    } catch (error) {
        throw new ConfigError(file, error.lineNumber ?? 1, error.message);
    }
    const root = Node.table(1);
    for (const item of ast.body[0].body) {
        if (item.type === 'TOMLTable')
            addAll(tableAt(root, item.resolvedKey, lineOf(item)), item.body);
        else
            addAll(root, [item]);
    }
    return root;
}

// ---- JSONC --------------------------------------------------------------------

function readJson(file, text) {
    const errors = [];
    const lineAt = (offset) => text.slice(0, offset).split('\n').length;
    const tree = parseTree(text, errors, { allowTrailingComma: true });
    if (errors.length > 0 || tree === undefined) {
        const { offset, error } = errors[0] ?? { offset: 0, error: 0 };
        throw new ConfigError(file, lineAt(offset),
            printParseErrorCode(error).replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`).trim());
    }
    const read = (node) => {
        const line = lineAt(node.offset);
        if (node.type === 'array') {
            const array = Node.array(line);
            array.items = node.children.map(read);
            return array;
        }
        if (node.type !== 'object')
            return new Node(line, node.value);
        const table = Node.table(line);
        for (const { children: [key, value] } of node.children) {
            if (table.entries.has(key.value))
                throw new ConfigError(file, lineAt(key.offset),
                    `${key.value}: given twice`);
            const got = read(value);
            got.line = lineAt(key.offset);
            table.entries.set(key.value, got);
        }
        return table;
    };
    return read(tree);
}

export function readTree(file, text) {
    return /\.jsonc?$/.test(file) ? readJson(file, text) : readToml(file, text);
}
