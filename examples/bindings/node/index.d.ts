/** libonward in Node. Texts are refused with a NUL or a lone surrogate in them;
 * messages are octets, with lines that end in CRLF (see crlf()). */

/** Octets: a string is taken as UTF-8. */
export type Octets = Uint8Array | string;

/** What went wrong. See lib/errors.js for the codes of the binding itself. */
export class OnwardError extends Error {
    readonly name: string;
    /** "ONWARD_ESYNTAX" and so on, a refusal's word, or "CLOSED", "VERSION",
     * "NOT_FOUND", "CALLBACK". */
    readonly code: string;
}

/** A handler's action that is refused. code is as in "E_DUPLICATE". */
export class OnwardRefusal extends OnwardError {
    /** The address, the field, the next hop's reply it is about. */
    readonly what: string;
}

/** The oldest libonward that this binding takes. */
export const requires: string;

/** CRLF at each line's end. */
export function crlf(message: Octets): Buffer;

export interface LogEvent {
    level: 'error' | 'warn' | 'info' | 'debug';
    module: string;
    code: string;
    detail: string;
}

export interface Options {
    /** The shared library; else ONWARD_LIBRARY, else libonward.so.0. */
    library?: string;
    /** onward.ffi.json; else ONWARD_DECLARATIONS, else where it is installed. */
    declarations?: string;
    /** DNS records, as dig prints them. Without dns and servers they are all
     * there is. */
    records?: Octets;
    /** Answers "A", "AAAA", "MX", "TXT", "PTR", "CNAME", ...: lines as dig prints
     * them, a reply's octets, or null (no such name). Else node:dns is asked. */
    dns?: (name: string, type: string) =>
        string | Uint8Array | null | Promise<string | Uint8Array | null>;
    /** Whom node:dns asks, as its setServers() takes them: ["192.0.2.53"]. */
    servers?: string[];
    /** Unix seconds. */
    now?: number | (() => number);
    log?: (event: LogEvent) => void;
}

/** What is known of the connection. */
export interface Facts {
    /** Of the SMTP client; without it there is no SPF. */
    ip?: string;
    helo?: string;
    /** The envelope's sender; absent or empty: the null path. */
    from?: string;
    /** Who we are in Authentication-Results; default: localhost. */
    authservId?: string;
    receiver?: string;
    trustedSealers?: string[];
    dmarcReject?: 'rfc9989' | 'service' | 'never';
    timeoutMs?: number;
}

export interface SpfVerdict {
    result: string;
    reason: string;
    text: string;
    domain: string;
    mechanism: string | null;
    [more: string]: unknown;
}

export interface DkimVerdict {
    result: string;
    reason: string;
    d: string;
    s: string;
    [more: string]: unknown;
}

/** As onward_verifier_explain() has it, and the field. */
export interface Verdict {
    authenticated: boolean;
    spf: { mailfrom: SpfVerdict; helo: SpfVerdict } | null;
    dkim: DkimVerdict[];
    arc: { result: string; reason: string; instances: number; [more: string]: unknown };
    dmarc: { result: string; reason: string; disposition: string; [more: string]: unknown };
    authorDomain: string | null;
    /** The value of our Authentication-Results field. */
    authres: string;
}

export interface SpfFacts {
    ip: string;
    from?: string;
    helo?: string;
    receiver?: string;
    identity?: 'mailfrom' | 'helo';
}

export interface SpfResult {
    result: 'none' | 'neutral' | 'pass' | 'fail' | 'softfail' | 'temperror' | 'permerror';
    reason: string;
    domain: string;
    mechanism: string;
    explanation: string;
    lookups: number;
}

export interface DmarcFacts {
    /** The domain of From. */
    author: string;
    /** Domains for which SPF, and DKIM, passed. */
    spf?: string[];
    dkim?: string[];
    dmarcReject?: 'rfc9989' | 'service' | 'never';
}

export interface DmarcResult {
    result: 'none' | 'pass' | 'fail' | 'temperror' | 'permerror';
    reason: string;
    policy: 'none' | 'quarantine' | 'reject' | null;
    disposition: 'none' | 'quarantine' | 'reject';
    policyDomain: string;
    record: string;
    spfAligned: boolean;
    dkimAligned: boolean;
}

export interface Sealing {
    /** A private key in PEM. */
    key: Octets;
    domain: string;
    selector: string;
    /** Names of fields; without them the library chooses. */
    fields?: string[];
    listing?: 'guarded' | 'service';
    /** Unix seconds; default: now. */
    time?: number;
    /** Seconds after which it is void. */
    expire?: number;
}

export interface Signature extends Sealing {
    identity?: string;
}

export interface Field {
    name: string;
    /** Unfolded, encoded words decoded. */
    value: string;
}

export interface Mailbox {
    name: string;
    address: string;
}

export interface Part {
    index: number;
    parent: number | null;
    /** "text/plain", lower case. */
    type: string;
    charset: string | null;
    disposition: string | null;
    fileName: string | null;
    contentId: string | null;
    isLeaf: boolean;
    /** Of a text whose charset is known. */
    text: string | null;
    /** Decoded; of a multipart null. */
    content: Buffer | null;
}

export interface Message {
    fields: Field[];
    subject: string | null;
    from: Mailbox[];
    to: Mailbox[];
    cc: Mailbox[];
    replyTo: Mailbox[];
    messageId: string | null;
    date: string | null;
    text: string | null;
    html: string | null;
    attachments: Part[];
    parts: Part[];
    anomalies: { name: string; part: number; offset: number }[];
}

export type Person = string | { name?: string; address: string };

export interface Draft {
    from: Person | Person[];
    sender?: Person;
    replyTo?: Person | Person[];
    to?: Person | Person[];
    cc?: Person | Person[];
    bcc?: Person | Person[];
    subject?: string;
    text?: string;
    html?: string;
    fields?: Record<string, string>;
    attachments?: {
        content: Octets;
        type?: string;
        fileName?: string;
        contentId?: string;
        description?: string;
        place?: 'attached' | 'inline' | 'alternative';
    }[];
    messageId?: string;
    /** Unix seconds. */
    date?: number;
    /** The message that this answers. */
    inReplyTo?: Octets;
}

export interface Built {
    raw: Buffer;
    /** For the envelope. */
    from: string;
    to: string[];
    messageId: string;
}

export interface Reply {
    code: number;
    enhanced: string;
    text: string;
}

export interface RouteFacts {
    sender?: string;
    fields?: Field[];
    attachments?: { fileName?: string | null; type?: string }[];
    verdict?: { spf?: string; dkim?: string; dmarc?: string; arc?: string };
    size?: number;
    score?: number;
    tls?: boolean;
    ip?: string;
    /** Is a destination verified; undefined: as the rules say. */
    verified?: (address: string) => boolean | undefined;
}

export interface Decision {
    /** "forward", "drop", "handler", "reject", "need-message", ... */
    kind: string;
    reason: string;
    match: 'none' | 'exact' | 'base' | 'catch-all' | 'pattern';
    zone: string | null;
    rule: number | 'catch-all' | null;
    ruleName: string | null;
    destinations: string[];
    handler: string | null;
    reply: Reply | null;
    actions: {
        kind: string;
        destinations: string[];
        name: string | null;
        value: string | null;
        reply: Reply | null;
    }[];
}

export class Rules {
    private constructor();
    route(address: string, facts?: RouteFacts): Decision;
    close(): void;
}

export interface Acted {
    messageId: string;
    /** It was done when the sender tried before. */
    wasBefore: boolean;
}

/** A message in the hands of a handler. */
export class MailEvent {
    private constructor();
    readonly handler: string;
    readonly from: string;
    readonly to: string;
    readonly raw: Buffer;
    readonly fields: Field[];
    readonly verdict: Verdict;
    readonly canBeForwarded: boolean;
    readonly canBeReplied: boolean;
    reject(reply?: string | Partial<Reply>): void;
    /** To a verified destination; settles once the next hop has answered. */
    forward(to: string, fields?: Record<string, string>): Promise<Acted>;
    reply(message: Draft | Octets, envelope?: { from?: string; to?: string }): Promise<Acted>;
    send(message: Draft | Octets, envelope?: { from?: string; to?: string }): Promise<Acted>;
}

export interface Delivery {
    from: string;
    to: string;
    domain: string;
    raw: Buffer;
}

export interface Submission {
    kind: 'reply' | 'send' | 'quarantine';
    from: string;
    to: string[];
    messageId: string;
    raw: Buffer;
}

export interface ReceiveOptions {
    rules: Rules;
    /** The envelope. */
    from?: string;
    to: string | string[];
    ip?: string;
    helo?: string;
    hostname?: string;
    dmarcReject?: 'rfc9989' | 'service' | 'never';
    /** By the names that rules have. One that throws has the sender come again. */
    handlers?: Record<string, (event: MailEvent) => unknown>;
    handlerTimeoutMs?: number;
    /** Bring it there: what the next hop said; undefined is 250. */
    deliver: (delivery: Delivery) => string | Partial<Reply> | undefined |
        Promise<string | Partial<Reply> | undefined>;
    /** Keep what handlers write, where a crash cannot take it. */
    submit?: (submission: Submission) => unknown;
    verified?: (address: string) => boolean | undefined;
    seal?: { key: Octets; domain: string; selector: string };
    /** The whole Received field, with its CRLF. */
    received?: string;
    allowUnauthenticated?: boolean;
}

export interface Received extends Reply {
    /** "Forwarded", "Handled", "Dropped", "Rejected", "Delivery failed", "Error". */
    status: string;
    reason: string;
    verdict: Verdict | null;
    /** What handlers have thrown. */
    handlerErrors: unknown[];
}

export class Onward {
    constructor(options?: Options);
    readonly version: string;
    verify(message: Octets, facts?: Facts): Promise<Verdict>;
    spf(facts: SpfFacts): Promise<SpfResult>;
    dmarc(facts: DmarcFacts): Promise<DmarcResult>;
    /** The message with DKIM-Signature on top. */
    sign(message: Octets, signatures: Signature | Signature[]): Promise<Buffer>;
    /** Verify, and put an ARC set on top that says what was found. */
    seal(message: Octets, sealing: Sealing, facts?: Facts): Promise<Buffer>;
    parse(message: Octets): Message;
    build(draft: Draft): Built;
    /** In the form of <onward/ruleset.h>, as text or as an object. */
    rules(text: string | object): Rules;
    /** Do with a message what a server does, handlers and all. */
    receive(message: Octets, options: ReceiveOptions): Promise<Received>;
    close(): void;
}
