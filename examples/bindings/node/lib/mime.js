// Messages taken apart and put together.
import { choice, count, need, octets, options, str, strOfOctets, bytesOf, textOf,
    wrong } from './values.js';

const PHRASE = 4; // ONWARD_WORDS_NAME: as a reader sees it
const UNSTRUCTURED = 1;
const LEAF = 1;
const MULTIPART = 2;
const NONE = 0xffffffffffffffffn; // SIZE_MAX

// ---- Reading ------------------------------------------------------------------

function decodeWords(host, value, place) {
    const { lib } = host;
    const text = lib.make('header', 'onward_words_decode', host.ctx, value, place, null);
    try {
        return textOf(lib.call('onward_text_str', text));
    } finally {
        lib.call('onward_text_free', text);
    }
}

/** Name and value of each field, words decoded, top first. */
export function fieldsOf(host, header) {
    const { lib } = host;
    const fields = [];
    const n = Number(lib.call('onward_header_count', header));
    for (let i = 0; i < n; i++) {
        const name = textOf(lib.call('onward_header_name', header, i));
        if (name !== '')
            fields.push({ name, value: decodeWords(host,
                lib.call('onward_header_value', header, i), UNSTRUCTURED).trim() });
    }
    return fields;
}

/** The mailboxes of a field; of one that cannot be read, none. */
function mailboxes(host, header, field) {
    const { lib } = host;
    const at = lib.call('onward_header_first', header, str(field));
    if (at >= lib.call('onward_header_count', header))
        return [];
    const out = [null];
    if (lib.call('onward_address_list_parse', host.ctx,
        lib.call('onward_header_value', header, at), null, out) < 0)
        return [];
    const all = [];
    try {
        const n = Number(lib.call('onward_address_list_count', out[0]));
        for (let i = 0; i < n; i++)
            all.push({
                name: decodeWords(host, lib.call(
                    'onward_address_list_display_name', out[0], i), PHRASE),
                address: textOf(lib.call('onward_mailbox_text',
                    lib.call('onward_address_list_mailbox', out[0], i))),
            });
    } finally {
        lib.call('onward_address_list_free', out[0]);
    }
    return all;
}

function textOfPart(host, tree, i) {
    const { lib } = host;
    const out = [null];
    const err = lib.call('onward_mime_tree_text', tree, i, out);
    if (err < 0)
        return null; // nobody knows its charset
    try {
        return textOf(lib.call('onward_text_str', out[0]));
    } finally {
        lib.call('onward_text_free', out[0]);
    }
}

function readPart(host, tree, i) {
    const { lib } = host;
    const p = lib.open('onward_mime_part');
    lib.must('message', 'onward_mime_tree_part', tree, i, p);
    const part = {
        index: i,
        parent: BigInt(p.parent) === NONE ? null : Number(p.parent),
        type: `${textOf(p.type)}/${textOf(p.subtype)}`,
        charset: textOf(p.charset) || null,
        disposition: textOf(p.disposition) || null,
        fileName: textOf(p.name) || null,
        contentId: textOf(p.content_id) || null,
        isLeaf: p.kind === LEAF,
        text: null,
        content: null,
    };
    if (p.kind === MULTIPART)
        return part;
    const body = {};
    lib.must('message', 'onward_mime_tree_body', tree, i, body);
    part.content = bytesOf(body);
    if (part.isLeaf && part.type.startsWith('text/'))
        part.text = textOfPart(host, tree, i);
    return part;
}

function anomalies(host, tree) {
    const { lib } = host;
    const n = Number(lib.call('onward_mime_tree_anomaly_count', tree));
    const all = [];
    for (let i = 0; i < n; i++) {
        const a = lib.open('onward_mime_anomaly');
        lib.must('message', 'onward_mime_tree_anomaly_at', tree, i, a);
        all.push({ name: lib.call('onward_mime_anomaly_name', a.code),
            part: Number(a.part), offset: Number(a.offset) });
    }
    return all;
}

/** The first shown text of a type, and what a reader would call attachments. */
function sortParts(parts) {
    const leaves = parts.filter((p) => p.content !== null);
    const shown = (type) => leaves.find((p) => p.type === type &&
        p.disposition !== 'attachment' && p.fileName === null);
    const plain = shown('text/plain');
    const html = shown('text/html');
    return { text: plain?.text ?? null, html: html?.text ?? null,
        attachments: leaves.filter((p) => p !== plain && p !== html) };
}

export function parse(host, given) {
    const { lib } = host;
    host.check();
    // The tree reads from it as long as it lives.
    const message = octets(given, 'message');
    const tree = lib.make('message', 'onward_mime_tree_new', host.ctx,
        strOfOctets(message, 'message'), null);
    try {
        const out = [null];
        lib.must('message', 'onward_mime_tree_header', tree, 0, out);
        const header = out[0];
        const fields = fieldsOf(host, header);
        const first = (name) =>
            fields.find((f) => f.name.toLowerCase() === name)?.value ?? null;
        const n = Number(lib.call('onward_mime_tree_count', tree));
        const parts = [];
        for (let i = 0; i < n; i++)
            parts.push(readPart(host, tree, i));
        return {
            fields,
            subject: first('subject'),
            from: mailboxes(host, header, 'From'),
            to: mailboxes(host, header, 'To'),
            cc: mailboxes(host, header, 'Cc'),
            replyTo: mailboxes(host, header, 'Reply-To'),
            messageId: first('message-id')?.replace(/^<|>$/g, '') ?? null,
            date: first('date'),
            parts,
            ...sortParts(parts),
            anomalies: anomalies(host, tree),
        };
    } finally {
        lib.call('onward_mime_tree_free', tree);
    }
}

// ---- Writing ------------------------------------------------------------------

const MESSAGE = ['from', 'sender', 'replyTo', 'to', 'cc', 'bcc', 'subject', 'text',
    'html', 'fields', 'attachments', 'messageId', 'date', 'inReplyTo'];
const ROLES = { from: 1, sender: 2, replyTo: 3, to: 4, cc: 5, bcc: 6 };
const PLACES = ['attached', 'inline', 'alternative'];

function addPeople(lib, builder, role, given) {
    const all = Array.isArray(given) ? given : given === undefined ? [] : [given];
    for (const one of all) {
        const o = typeof one === 'string' ? { address: one }
            : options(one ?? null, role, ['name', 'address']);
        lib.must(role, 'onward_builder_add_address', builder, ROLES[role],
            str(o.name, role), need(o.address, role));
    }
}

function addAttachment(lib, builder, given) {
    const o = options(given ?? null, 'attachments',
        ['content', 'type', 'fileName', 'contentId', 'place', 'description']);
    const part = lib.open('onward_builder_part', {
        place: choice(o.place, 'place', PLACES),
        type: str(o.type, 'type'),
        file_name: str(o.fileName, 'fileName'),
        content_id: str(o.contentId, 'contentId'),
        description: str(o.description, 'description'),
        data: strOfOctets(o.content, 'content'),
    });
    lib.must('attachments', 'onward_builder_add_part', builder, part);
}

/** A builder with all of it; free it with onward_builder_free(). */
export function openBuilder(host, given) {
    const { lib } = host;
    const o = options(given ?? null, 'message', MESSAGE);
    const builder = lib.make('message', 'onward_builder_new', host.ctx,
        lib.open('onward_builder_opts', { date_s: count(o.date, 'date') }));
    try {
        for (const role of Object.keys(ROLES))
            addPeople(lib, builder, role, o[role]);
        for (const key of ['subject', 'text', 'html']) {
            if (o[key] !== undefined)
                lib.must(key, `onward_builder_set_${key}`, builder, str(o[key], key));
        }
        if (o.messageId !== undefined)
            lib.must('messageId', 'onward_builder_set_message_id', builder,
                need(o.messageId, 'messageId'));
        for (const [name, value] of Object.entries(o.fields ?? {}))
            lib.must(name, 'onward_builder_add_field', builder, need(name, 'fields'),
                need(value, name));
        if (o.attachments !== undefined && !Array.isArray(o.attachments))
            throw wrong('attachments', o.attachments, 'an array');
        for (const attachment of o.attachments ?? [])
            addAttachment(lib, builder, attachment);
        if (o.inReplyTo !== undefined)
            replyTo(host, builder, octets(o.inReplyTo, 'inReplyTo'));
    } catch (error) {
        lib.call('onward_builder_free', builder);
        throw error;
    }
    return builder;
}

/** Thread it to a message, which is given whole. */
function replyTo(host, builder, original) {
    const { lib } = host;
    const header = lib.make('inReplyTo', 'onward_header_new', host.ctx);
    try {
        lib.must('inReplyTo', 'onward_header_feed', header, original,
            original.length, [0]);
        lib.must('inReplyTo', 'onward_header_finish', header);
        lib.must('inReplyTo', 'onward_builder_set_reply_to_message', builder, header);
    } finally {
        lib.call('onward_header_free', header);
    }
}

/** All octets of a struct onward_source that is never in need of waiting. */
export function readSource(lib, pointer) {
    const source = lib.decode('onward_source', pointer);
    const len = Number(source.len);
    const out = Buffer.alloc(len);
    const got = [0];
    for (let at = 0; at < len; at += Number(got[0])) {
        const err = lib.callPointer('onward_source', 'read', source.read,
            source.user, at, out.subarray(at), len - at, got);
        if (err < 0 || Number(got[0]) === 0)
            throw lib.error('source', err < 0 ? err : -6);
    }
    return out;
}

export function build(host, given) {
    const { lib } = host;
    host.check();
    const builder = openBuilder(host, given);
    try {
        const raw = readSource(lib, lib.make('message', 'onward_builder_source', builder));
        const to = [];
        const n = Number(lib.call('onward_builder_rcpt_count', builder));
        for (let i = 0; i < n; i++)
            to.push(textOf(lib.call('onward_builder_rcpt_at', builder, i)));
        return { raw, to,
            from: textOf(lib.call('onward_builder_mail_from', builder)),
            messageId: textOf(lib.call('onward_builder_message_id', builder)) };
    } finally {
        lib.call('onward_builder_free', builder);
    }
}
