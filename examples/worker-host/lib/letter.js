// What workers write: EmailMessage, or the parts of one.
import { EmailMessage } from './cloudflare-email.js';

const PARTS = ['from', 'to', 'cc', 'bcc', 'subject', 'replyTo', 'headers', 'text',
    'html', 'attachments'];
const ATTACHMENT = ['filename', 'type', 'disposition', 'contentId', 'content'];

/** An error with the service's code. */
export function fault(code, text) {
    return Object.assign(new Error(text), { code });
}

function checkKeys(object, known, what) {
    if (typeof object !== 'object' || object === null)
        throw fault('E_VALIDATION_ERROR', `${what}: expected an object`);
    for (const key of Object.keys(object)) {
        if (!known.includes(key))
            throw fault('E_VALIDATION_ERROR', `${what}: no such member "${key}"`);
    }
}

async function readRaw(raw) {
    if (typeof raw === 'string')
        return Buffer.from(raw, 'utf8');
    if (raw instanceof Uint8Array)
        return Buffer.from(raw);
    if (raw instanceof ArrayBuffer)
        return Buffer.from(raw);
    if (raw instanceof ReadableStream)
        return Buffer.from(await new Response(raw).arrayBuffer());
    throw new TypeError('EmailMessage: raw: expected a string or a ReadableStream');
}

function person(one, what) {
    if (typeof one === 'string')
        return { address: one };
    checkKeys(one, ['email', 'name'], what);
    return { address: one.email, name: one.name };
}

const people = (all, what) => all === undefined ? undefined
    : (Array.isArray(all) ? all : [all]).map((one) => person(one, what));

function attachment(one) {
    checkKeys(one, ATTACHMENT, 'attachments');
    return {
        // As the service has it: a string is base64 unless it is octets.
        content: typeof one.content === 'string' ? Buffer.from(one.content, 'base64')
            : new Uint8Array(one.content),
        type: one.type,
        fileName: one.filename,
        contentId: one.contentId,
        place: one.disposition === 'inline' ? 'inline' : 'attached',
    };
}

/** A message as octets with its envelope. original: of a reply, what it answers. */
export async function readLetter(onward, given, original) {
    if (given instanceof EmailMessage) {
        const raw = await readRaw(given.raw);
        return { from: given.from, to: given.to === null ? [] : [given.to],
            raw: Buffer.from(raw.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1') };
    }
    checkKeys(given, PARTS, 'message');
    if (given.from === undefined)
        throw fault('E_FIELD_MISSING', 'from: expected an address');
    try {
        const built = onward.build({
            from: person(given.from, 'from'),
            to: original === undefined ? people(given.to, 'to') : original.from,
            cc: people(given.cc, 'cc'),
            bcc: people(given.bcc, 'bcc'),
            replyTo: people(given.replyTo, 'replyTo'),
            subject: given.subject,
            text: given.text,
            html: given.html,
            fields: given.headers === undefined ? undefined
                : Object.fromEntries(given.headers instanceof Headers
                    ? given.headers : Object.entries(given.headers)),
            attachments: given.attachments?.map(attachment),
            inReplyTo: original?.raw,
        });
        return { from: built.from, to: built.to, raw: built.raw };
    } catch (error) {
        throw error.code?.startsWith?.('E_') ? error
            : fault('E_VALIDATION_ERROR', error.message);
    }
}

/** Whom a message names: the envelope, To, Cc and Bcc. */
export function recipientsOf(onward, letter) {
    const { to, cc, fields } = onward.parse(letter.raw);
    const bcc = fields.filter((f) => f.name.toLowerCase() === 'bcc');
    const hidden = bcc.length === 0 ? [] : onward.parse(
        bcc.map((f) => `To: ${f.value}\r\n`).join('')).to;
    return [...new Set([...letter.to, ...[...to, ...cc, ...hidden].map((a) => a.address)])];
}
