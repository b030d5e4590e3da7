/*
 * Reading reports: libexpat finds the elements, a table says which of them
 * mean something where, and what others write wrong is read and noted. The text
 * of every element that matters has a slot; a row is made of its slots when its
 * record ends.
 */
#include "dmarc/report_read_priv.h"

enum {
    MAX_BYTES = 256 * 1024 * 1024,
    MAX_ROWS = 1000000,
    MAX_DEPTH = 32,
    PIECE = 4096,          /* octets that expat gets at a time */
    TOKEN_MAX = 64 * 1024, /* of one tag or comment: expat keeps it whole */
    SEPARATOR = '\n'       /* between namespace and name: in no name */
};

static const struct element {
    enum place parent;
    enum place place;
    enum slot slot;
    const char *name;
} elements[] = {
    {PLACE_NONE, PLACE_FEEDBACK, SLOT_NONE, "feedback"},
    {PLACE_FEEDBACK, PLACE_TEXT, SLOT_VERSION, "version"},
    {PLACE_FEEDBACK, PLACE_METADATA, SLOT_NONE, "report_metadata"},
    {PLACE_FEEDBACK, PLACE_POLICY, SLOT_NONE, "policy_published"},
    {PLACE_FEEDBACK, PLACE_EXTENSION, SLOT_NONE, "extension"},
    {PLACE_FEEDBACK, PLACE_RECORD, SLOT_NONE, "record"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_ORG_NAME, "org_name"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_EMAIL, "email"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_CONTACT, "extra_contact_info"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_REPORT_ID, "report_id"},
    {PLACE_METADATA, PLACE_RANGE, SLOT_NONE, "date_range"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_ERROR, "error"},
    {PLACE_METADATA, PLACE_TEXT, SLOT_GENERATOR, "generator"},
    {PLACE_RANGE, PLACE_TEXT, SLOT_BEGIN, "begin"},
    {PLACE_RANGE, PLACE_TEXT, SLOT_END, "end"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_POLICY_DOMAIN, "domain"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_DISCOVERY, "discovery_method"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_P, "p"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_SP, "sp"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_NP, "np"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_FO, "fo"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_ADKIM, "adkim"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_ASPF, "aspf"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_TESTING, "testing"},
    {PLACE_POLICY, PLACE_TEXT, SLOT_PCT, "pct"},
    {PLACE_RECORD, PLACE_ROW, SLOT_NONE, "row"},
    {PLACE_RECORD, PLACE_IDENTIFIERS, SLOT_NONE, "identifiers"},
    {PLACE_RECORD, PLACE_RESULTS, SLOT_NONE, "auth_results"},
    {PLACE_ROW, PLACE_TEXT, SLOT_SOURCE_IP, "source_ip"},
    {PLACE_ROW, PLACE_TEXT, SLOT_COUNT, "count"},
    {PLACE_ROW, PLACE_EVALUATED, SLOT_NONE, "policy_evaluated"},
    {PLACE_EVALUATED, PLACE_TEXT, SLOT_DISPOSITION, "disposition"},
    {PLACE_EVALUATED, PLACE_TEXT, SLOT_DKIM_ALIGNED, "dkim"},
    {PLACE_EVALUATED, PLACE_TEXT, SLOT_SPF_ALIGNED, "spf"},
    {PLACE_EVALUATED, PLACE_REASON, SLOT_NONE, "reason"},
    {PLACE_REASON, PLACE_TEXT, SLOT_TYPE, "type"},
    {PLACE_REASON, PLACE_TEXT, SLOT_COMMENT, "comment"},
    {PLACE_IDENTIFIERS, PLACE_TEXT, SLOT_HEADER_FROM, "header_from"},
    {PLACE_IDENTIFIERS, PLACE_TEXT, SLOT_ENVELOPE_FROM, "envelope_from"},
    {PLACE_IDENTIFIERS, PLACE_TEXT, SLOT_ENVELOPE_TO, "envelope_to"},
    {PLACE_RESULTS, PLACE_DKIM, SLOT_NONE, "dkim"},
    {PLACE_RESULTS, PLACE_SPF, SLOT_NONE, "spf"},
    {PLACE_DKIM, PLACE_TEXT, SLOT_DOMAIN, "domain"},
    {PLACE_DKIM, PLACE_TEXT, SLOT_SELECTOR, "selector"},
    {PLACE_DKIM, PLACE_TEXT, SLOT_RESULT, "result"},
    {PLACE_DKIM, PLACE_TEXT, SLOT_HUMAN, "human_result"},
    {PLACE_SPF, PLACE_TEXT, SLOT_DOMAIN, "domain"},
    {PLACE_SPF, PLACE_TEXT, SLOT_SCOPE, "scope"},
    {PLACE_SPF, PLACE_TEXT, SLOT_RESULT, "result"},
    {PLACE_SPF, PLACE_TEXT, SLOT_HUMAN, "human_result"},
};

/* ---- Errors ------------------------------------------------------------ */

/* Where expat stands; at most once. */
static void fail(struct onward_dmarc_reader *r, int err, const char *text)
{
    XML_Index at;

    if (r->err != 0)
        return;
    r->err = err;
    if (err != ONWARD_ESYNTAX && err != ONWARD_ELIMIT)
        return;
    at = r->is_fed ? XML_GetCurrentByteIndex(r->parser) : 0;
    r->fault.text = text;
    r->fault.offset = r->skipped + (at > 0 ? (uint64_t)at : 0);
    r->fault.line = r->lines + 1;
    r->fault.column = r->column + 1;
    if (!r->is_fed)
        return;
    r->fault.line = r->lines + (size_t)XML_GetCurrentLineNumber(r->parser);
    r->fault.column = (size_t)XML_GetCurrentColumnNumber(r->parser) + 1;
    if (r->fault.line == r->lines + 1)
        r->fault.column += r->column;
}

/* The same inside one of expat's callbacks: no more of them. */
void onward_dmarc__reader_stop(struct onward_dmarc_reader *r, int err,
                               const char *text)
{
    fail(r, err, text);
    XML_StopParser(r->parser, XML_FALSE);
}

static void forget(struct onward_dmarc_reader *r, enum slot from, enum slot to)
{
    for (enum slot i = from; i < to; i++) {
        onward_core__buf_reset(&r->slots[i]);
        r->has[i] = false;
    }
}

/* ---- Elements ---------------------------------------------------------- */

/* "namespace\nname", or "name". */
static void split(const char *full, struct onward_str *ns,
                  struct onward_str *name)
{
    struct onward_str all = onward_str_of(full);
    size_t at = onward_core__str_find(all, SEPARATOR);

    if (at == all.len) {
        *ns = onward_core__str("", 0);
        *name = all;
        return;
    }
    *ns = onward_core__sub(all, 0, at);
    *name = onward_core__sub(all, at + 1, all.len);
}

static const struct element *find(enum place parent, struct onward_str name)
{
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (elements[i].parent == parent &&
            onward_core__str_eq(name, onward_str_of(elements[i].name)))
            return &elements[i];
    }
    return NULL;
}

static void begin_root(struct onward_dmarc_reader *r, struct onward_str ns)
{
    static const struct {
        size_t schema;
        const char *name;
    } known[] = {
        {ONWARD_DMARC_SCHEMA_RFC9990, "urn:ietf:params:xml:ns:dmarc-2.0"},
        {ONWARD_DMARC_SCHEMA_RFC7489, "http://dmarc.org/dmarc-xml/0.1"},
        {ONWARD_DMARC_SCHEMA_RFC7489, "http://dmarc.org/dmarc-xml/0.2"},
        {ONWARD_DMARC_SCHEMA_RFC7489, ""},
    };

    r->is_root_seen = true;
    r->ns_len = ns.len < sizeof(r->ns) ? ns.len : sizeof(r->ns);
    memcpy(r->ns, ns.data, r->ns_len);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (onward_core__str_eq(ns, onward_str_of(known[i].name)))
            r->facts.schema = known[i].schema;
    }
    if (r->facts.schema == ONWARD_DMARC_SCHEMA_UNKNOWN)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_NAMESPACE);
}

/* Elements of the root's namespace, or of none. */
static bool is_ours(const struct onward_dmarc_reader *r, struct onward_str ns)
{
    size_t len = ns.len < sizeof(r->ns) ? ns.len : sizeof(r->ns);

    return ns.len == 0 ||
           (len == r->ns_len && memcmp(ns.data, r->ns, len) == 0);
}

static void told(struct onward_dmarc_reader *r)
{
    XML_Index at = XML_GetCurrentByteIndex(r->parser);
    int len = XML_GetCurrentByteCount(r->parser);

    if (at >= 0 && len >= 0 && (uint64_t)at + (uint64_t)len > r->event_end)
        r->event_end = (uint64_t)at + (uint64_t)len;
}

/* An element begins: its slots, and those of what it holds, are empty. */
static void open_place(struct onward_dmarc_reader *r, const struct element *e)
{
    switch (e->place) {
    case PLACE_RECORD:
        forget(r, SLOT_RECORD, SLOTS);
        onward_dmarc_row_reset(r->row);
        break;
    case PLACE_REASON:
        forget(r, SLOT_REASON, SLOT_AUTH);
        break;
    case PLACE_DKIM:
    case PLACE_SPF:
        forget(r, SLOT_AUTH, SLOTS);
        break;
    case PLACE_TEXT:
        if (r->has[e->slot] && e->slot != SLOT_ERROR)
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_TWICE);
        onward_core__buf_reset(&r->slots[e->slot]);
        r->has[e->slot] = true;
        r->slot = e->slot;
        break;
    default:
        break;
    }
    r->places[r->depth++] = e->place;
}

static void XMLCALL on_start(void *user, const XML_Char *full,
                             const XML_Char **attributes)
{
    struct onward_dmarc_reader *r = user;
    enum place parent = r->depth != 0 ? r->places[r->depth - 1] : PLACE_NONE;
    const struct element *e = NULL;
    struct onward_str ns, name;

    (void)attributes;
    told(r);
    if (r->depth + r->ignored >= r->max_depth) {
        onward_dmarc__reader_stop(r, ONWARD_ELIMIT,
                                  "elements nested too deeply");
        return;
    }
    split(full, &ns, &name);
    if (!r->is_root_seen)
        begin_root(r, ns);
    if (r->ignored == 0 && is_ours(r, ns))
        e = find(parent, name);
    if (e != NULL) {
        open_place(r, e);
        return;
    }
    if (parent == PLACE_NONE) {
        onward_dmarc__reader_stop(r, ONWARD_ESYNTAX,
                                  "expected the element feedback");
        return;
    }
    /* Extensions have a place of their own, and a namespace. */
    if (r->ignored == 0 && is_ours(r, ns) && parent != PLACE_EXTENSION)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_ELEMENT);
    r->ignored++;
}

static void XMLCALL on_end(void *user, const XML_Char *full)
{
    struct onward_dmarc_reader *r = user;

    (void)full;
    /* expat tells the end of an empty element (<x/>) even when its start
     * stopped the parser. */
    if (r->err != 0)
        return;
    told(r);
    if (r->ignored != 0) {
        r->ignored--;
        return;
    }
    switch (r->places[--r->depth]) {
    case PLACE_TEXT:
        if (r->slot == SLOT_VERSION)
            onward_dmarc__end_version(r);
        r->slot = SLOT_NONE;
        break;
    case PLACE_METADATA:
        onward_dmarc__end_metadata(r);
        break;
    case PLACE_POLICY:
        onward_dmarc__end_policy(r);
        break;
    case PLACE_REASON:
        onward_dmarc__end_reason(r);
        break;
    case PLACE_DKIM:
        onward_dmarc__end_auth(r, true);
        break;
    case PLACE_SPF:
        onward_dmarc__end_auth(r, false);
        break;
    case PLACE_RECORD:
        onward_dmarc__end_record(r);
        break;
    case PLACE_FEEDBACK:
        onward_dmarc__end_feedback(r);
        break;
    case PLACE_NONE:
    case PLACE_RANGE:
    case PLACE_ROW:
    case PLACE_EVALUATED:
    case PLACE_IDENTIFIERS:
    case PLACE_RESULTS:
    case PLACE_EXTENSION:
    case PLACE_COUNT:
        break;
    }
}

/* Whole characters only: expat gives no half ones, and a cut makes none. */
static size_t whole(const char *data, size_t len)
{
    while (len != 0 && ((unsigned char)data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static void XMLCALL on_text(void *user, const XML_Char *data, int len)
{
    struct onward_dmarc_reader *r = user;
    struct onward_str text = onward_core__str(data, (size_t)len);
    struct onward_buf *b;

    if (r->err != 0)
        return;
    told(r);
    if (r->slot == SLOT_NONE || r->ignored != 0)
        return;
    b = &r->slots[r->slot];
    if (b->len == 0) { /* white space around a text is no part of it */
        while (text.len != 0 &&
               (onward_ascii_is_wsp((unsigned char)*text.data) ||
                *text.data == '\n' || *text.data == '\r'))
            text = onward_core__sub(text, 1, text.len);
    }
    if (text.len > ONWARD_DMARC_ROW_TEXT_MAX - b->len) {
        struct onward_str rest = text;

        text.len = whole(text.data, ONWARD_DMARC_ROW_TEXT_MAX - b->len);
        rest = onward_core__str_trim_crlf(
            onward_core__sub(rest, text.len, rest.len));
        if (rest.len != 0)
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_LONG);
    }
    if (onward_core__buf_add_str(b, text) != 0)
        onward_dmarc__reader_stop(r, b->err, NULL);
}

/* Comments, processing instructions, the declaration: nothing to us. */
static void XMLCALL on_other(void *user, const XML_Char *data, int len)
{
    (void)data;
    (void)len;
    told(user);
}

/* No report needs one, and with it come entities: those that grow without end
 * and those that name files. */
static void XMLCALL on_doctype(void *user, const XML_Char *name,
                               const XML_Char *system, const XML_Char *public,
                               int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    onward_dmarc__reader_stop(user, ONWARD_ESYNTAX,
                              "a DOCTYPE, which no report has");
}

/* ---- Feeding ----------------------------------------------------------- */

static const char *xml_fault(enum XML_Error code)
{
    switch (code) {
    case XML_ERROR_NO_ELEMENTS:
        return "expected an element";
    case XML_ERROR_UNCLOSED_TOKEN:
    case XML_ERROR_PARTIAL_CHAR:
    case XML_ERROR_UNCLOSED_CDATA_SECTION:
        return "the report is cut off";
    case XML_ERROR_TAG_MISMATCH:
        return "an end tag without its start tag";
    case XML_ERROR_DUPLICATE_ATTRIBUTE:
        return "an attribute twice";
    case XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
        return "something behind the report's end";
    case XML_ERROR_UNDEFINED_ENTITY:
        return "an entity that is not defined";
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
        return "an encoding that is not known";
    case XML_ERROR_UNBOUND_PREFIX:
        return "a prefix without its namespace";
    case XML_ERROR_MISPLACED_XML_PI:
        return "an XML declaration that is not at the start";
    case XML_ERROR_BAD_CHAR_REF:
        return "a reference to a character that may not be";
    default:
        return "not well-formed XML";
    }
}

static int parse(struct onward_dmarc_reader *r, const char *data, size_t len,
                 bool is_last)
{
    r->is_fed = true;
    if (XML_Parse(r->parser, data, (int)len, is_last) == XML_STATUS_ERROR &&
        r->err == 0) {
        enum XML_Error code = XML_GetErrorCode(r->parser);

        if (code == XML_ERROR_NO_MEMORY)
            fail(r, ONWARD_ENOMEM, NULL);
        else
            fail(r, ONWARD_ESYNTAX,
                 is_last && code == XML_ERROR_NO_ELEMENTS && r->is_root_seen
                     ? "the report is cut off"
                     : xml_fault(code));
    }
    return r->err;
}

/* Some write white space before the XML declaration, which may only stand at
 * the start. */
static struct onward_str skip_leading(struct onward_dmarc_reader *r,
                                      struct onward_str s)
{
    while (s.len != 0 && !r->is_begun) {
        char c = s.data[0];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            r->is_begun = true;
            break;
        }
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_LEADING);
        r->skipped++;
        r->column++;
        if (c == '\n') {
            r->lines++;
            r->column = 0;
        }
        s = onward_core__sub(s, 1, s.len);
    }
    return s;
}

static void destroy(struct onward_dmarc_reader *r)
{
    struct onward_ctx *ctx = r->ctx;

    if (r->parser != NULL)
        XML_ParserFree(r->parser);
    onward_dmarc_row_free(r->row);
    for (size_t i = 0; i < SLOTS; i++)
        onward_core__buf_clear(&r->slots[i]);
    onward_core__free(ctx, r);
    onward_ctx_free(ctx);
}

/* In pieces, so that what expat keeps of one token can be bounded. */
static void take(struct onward_dmarc_reader *r, struct onward_str s)
{
    if (s.len > r->max_bytes - r->taken) {
        s.len = (size_t)(r->max_bytes - r->taken);
        take(r, s);
        fail(r, ONWARD_ELIMIT, "longer than allowed");
        return;
    }
    r->taken += s.len;
    s = skip_leading(r, s);
    while (s.len != 0 && r->err == 0) {
        size_t len = s.len < PIECE ? s.len : PIECE;
        uint64_t fed = r->taken - r->skipped - (s.len - len);

        parse(r, s.data, len, false);
        if (fed > r->event_end + TOKEN_MAX)
            fail(r, ONWARD_ELIMIT, "a tag or comment longer than allowed");
        s = onward_core__sub(s, len, s.len);
    }
}

/* After a call that ran callbacks: the host may have freed the reader. */
static int leave(struct onward_dmarc_reader *r)
{
    int err = r->err;

    if (onward_core__guard_leave(&r->guard)) {
        destroy(r);
        return ONWARD_ECANCELED;
    }
    return err;
}

int onward_dmarc_reader_feed(struct onward_dmarc_reader *reader,
                             const void *data, size_t len)
{
    if (reader->err != 0 || reader->is_finished || reader->guard.depth != 0)
        return ONWARD_ESTATE;
    onward_core__guard_enter(&reader->guard);
    if (len != 0)
        take(reader, onward_core__str(data, len));
    return leave(reader);
}

int onward_dmarc_reader_finish(struct onward_dmarc_reader *reader)
{
    if (reader->err != 0 || reader->is_finished || reader->guard.depth != 0)
        return ONWARD_ESTATE;
    reader->is_finished = true;
    onward_core__guard_enter(&reader->guard);
    parse(reader, "", 0, true);
    return leave(reader);
}

/* ---- Life -------------------------------------------------------------- */

static int make_parser(struct onward_dmarc_reader *r)
{
    const char separator[2] = {SEPARATOR, '\0'};
    unsigned long salt = 0;
    int err = onward_core__random(r->ctx, &salt, sizeof(salt));

    if (err != 0)
        return err;
    /* expat's memory functions get no user: it takes the C library's. */
    r->parser = XML_ParserCreate_MM(NULL, NULL, separator);
    if (r->parser == NULL)
        return ONWARD_ENOMEM;
    /* Ours, or expat looks for one in the machine. 0 is none. */
    XML_SetHashSalt(r->parser, salt != 0 ? salt : 1);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetDefaultHandler(r->parser, on_other);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    return 0;
}

int onward_dmarc_reader_new(struct onward_ctx *ctx,
                            const struct onward_dmarc_reader_opts *opts,
                            const struct onward_dmarc_reader_host *host,
                            struct onward_dmarc_reader **reader)
{
    struct onward_dmarc_reader_opts o;
    struct onward_dmarc_reader_host h;
    struct onward_dmarc_reader *r;
    int err;

    if (ctx == NULL || host == NULL || reader == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (h.row == NULL || o.max_depth > DEPTH_CEILING)
        return ONWARD_EINVAL;
    r = onward_core__zalloc(ctx, sizeof(*r));
    if (r == NULL)
        return ONWARD_ENOMEM;
    r->ctx = onward_ctx_ref(ctx);
    r->host = h;
    r->max_bytes = onward_core__limit(o.max_bytes, MAX_BYTES);
    r->max_rows = onward_core__limit(o.max_rows, MAX_ROWS);
    r->max_depth = o.max_depth != 0 ? o.max_depth : MAX_DEPTH;
    for (size_t i = 0; i < SLOTS; i++)
        onward_core__buf_init(&r->slots[i], ctx, ONWARD_DMARC_ROW_TEXT_MAX);
    err = onward_dmarc_row_new(ctx, &r->row);
    if (err == 0)
        err = make_parser(r);
    if (err != 0) {
        destroy(r);
        return err;
    }
    *reader = r;
    return 0;
}

void onward_dmarc_reader_free(struct onward_dmarc_reader *reader)
{
    if (reader == NULL || reader->guard.is_dead)
        return;
    reader->guard.is_dead = true;
    onward_core__guard_enter(&reader->guard);
    if (onward_core__guard_leave(&reader->guard))
        destroy(reader);
}

/* ---- What was found ---------------------------------------------------- */

int onward_dmarc_reader_facts(const struct onward_dmarc_reader *reader,
                              struct onward_dmarc_report_facts *facts)
{
    struct onward_dmarc_report_facts f = reader->facts;

    f.version = onward_dmarc__slot_text(reader, SLOT_VERSION);
    f.org_name = onward_dmarc__slot_text(reader, SLOT_ORG_NAME);
    f.email = onward_dmarc__slot_text(reader, SLOT_EMAIL);
    f.extra_contact_info = onward_dmarc__slot_text(reader, SLOT_CONTACT);
    f.report_id = onward_dmarc__slot_text(reader, SLOT_REPORT_ID);
    f.error = onward_dmarc__slot_text(reader, SLOT_ERROR);
    f.generator = onward_dmarc__slot_text(reader, SLOT_GENERATOR);
    f.policy_domain = onward_dmarc__slot_text(reader, SLOT_POLICY_DOMAIN);
    f.failure_options = onward_dmarc__slot_text(reader, SLOT_FO);
    f.percent = onward_dmarc__slot_text(reader, SLOT_PCT);
    return onward_core__out_store(facts, &f, sizeof(f));
}

int onward_dmarc_reader_fault(const struct onward_dmarc_reader *reader,
                              struct onward_dmarc_report_fault *fault)
{
    if (reader->fault.text == NULL)
        return ONWARD_ENOENT;
    return onward_core__out_store(fault, &reader->fault, sizeof(*fault));
}
