/*
 * The JSON reader. A loop over the text with the open containers linked by
 * their parents, so the depth of a text costs no C stack.
 */
#include "core/json_shared.h"

#include "core/text_shared.h"

/* Members of one object are compared one by one up to here; beyond, a table of
 * all keys of the text answers. Rules files stay below it. */
enum { FEW_MEMBERS = 16 };

struct key_node {
    struct onward_core__node node;
    const struct onward_json *value;
};

struct reader {
    struct onward_arena *arena;
    const unsigned char *text;
    size_t len, at, line, depth, max_depth;
    struct onward_json *root;
    struct onward_json *open;       /* the innermost open container */
    struct onward_json *last;       /* its newest item */
    struct onward_core__table keys; /* of objects with many members */
    bool has_table;
    const struct onward_json_taker *taker; /* or NULL */
    struct onward_json *taking;            /* the array whose items go */
    struct onward_json taken;              /* stands for the item before */
    struct onward_arena *kept;             /* arena outside of items */
    struct onward_core__table kept_keys;
    bool has_kept_table;
    struct onward_json_fault *fault;
};

static int refuse(struct reader *r, int error, const char *what)
{
    r->fault->line = r->line;
    r->fault->what = what;
    r->fault->at = NULL;
    return error;
}

static int syntax(struct reader *r, const char *what)
{
    return refuse(r, ONWARD_ESYNTAX, what);
}

static int duplicate(struct reader *r, const struct onward_json *member)
{
    int ret = syntax(r, "key that this object already has, expected each once");

    r->fault->at = member;
    return ret;
}

static int no_memory(struct reader *r)
{
    return refuse(r, ONWARD_ENOMEM, "out of memory");
}

/* -1 at the end of the text. */
static int peek(const struct reader *r)
{
    return r->at < r->len ? r->text[r->at] : -1;
}

static void skip_space(struct reader *r)
{
    for (; r->at < r->len; r->at++) {
        switch (r->text[r->at]) {
        case '\n':
            r->line++;
            break;
        case ' ':
        case '\t':
        case '\r':
            break;
        default:
            return;
        }
    }
}

/* The four hex digits behind "\u"; false when they are not there. */
static bool read_hex4(struct reader *r, uint32_t *unit)
{
    uint32_t value = 0;

    if (r->len - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = onward_ascii_hex(r->text[r->at + (size_t)i]);

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    r->at += 4;
    *unit = value;
    return true;
}

/* Octets written; code is a scalar value. */
static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* "\u" was read: one unit, or a pair of surrogates. */
static int read_unicode_escape(struct reader *r, uint32_t *code)
{
    uint32_t high, low;

    if (!read_hex4(r, &high))
        return syntax(r, "\\u without four hex digits");
    *code = high;
    if (high < 0xd800 || high > 0xdfff)
        return 0;
    if (high > 0xdbff || r->len - r->at < 2 || r->text[r->at] != '\\' ||
        r->text[r->at + 1] != 'u')
        return syntax(r, "half of a surrogate pair");
    r->at += 2;
    if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
        return syntax(r, "half of a surrogate pair");
    *code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 0;
}

/* The backslash was read. */
static int read_escape(struct reader *r, char *out, size_t *out_len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    int ret;

    for (size_t i = 0; i < sizeof(names) - 1; i++) {
        if (peek(r) == names[i]) {
            r->at++;
            *out_len = 1;
            out[0] = values[i];
            return 0;
        }
    }
    if (peek(r) != 'u')
        return syntax(r, "unknown escape in a string");
    r->at++;
    ret = read_unicode_escape(r, &code);
    if (ret != 0)
        return ret;
    *out_len = put_utf8(out, code);
    return 0;
}

/* Find the quote that ends the string; a decoded text is never longer than its
 * escaped form, so this is also the room it needs. */
static int measure_string(struct reader *r, size_t *len, bool *has_escape)
{
    size_t at = r->at;

    *has_escape = false;
    for (; at < r->len && r->text[at] != '"'; at++) {
        if (r->text[at] < 0x20)
            return syntax(r, "control character in a string");
        if (r->text[at] == '\\') {
            *has_escape = true;
            at++;
        }
    }
    if (at >= r->len)
        return syntax(r, "string without an end, expected a quote");
    *len = at - r->at;
    if (!onward_core__is_utf8(onward_core__str(r->text + r->at, *len)))
        return syntax(r, "string that is not UTF-8");
    return 0;
}

/* The opening quote is next. */
static int read_string(struct reader *r, struct onward_str *out)
{
    size_t raw_len, end, used = 0;
    bool has_escape;
    char *copy;
    int ret;

    r->at++;
    ret = measure_string(r, &raw_len, &has_escape);
    if (ret != 0)
        return ret;
    end = r->at + raw_len;
    if (!has_escape) {
        ret = onward_core__arena_dup(
            r->arena, onward_core__str(r->text + r->at, raw_len), out);
        r->at = end + 1;
        return ret == 0 ? 0 : no_memory(r);
    }
    copy = onward_core__arena_alloc(r->arena, raw_len);
    if (copy == NULL)
        return no_memory(r);
    while (r->at < end) {
        size_t len = 1;

        if (r->text[r->at] != '\\') {
            copy[used++] = (char)r->text[r->at++];
            continue;
        }
        r->at++;
        ret = read_escape(r, copy + used, &len);
        if (ret != 0)
            return ret;
        used += len;
    }
    r->at = end + 1;
    *out = onward_core__str(copy, used);
    return 0;
}

static bool skip_digits(struct reader *r)
{
    size_t start = r->at;

    while (onward_ascii_is_digit((unsigned char)peek(r)) && r->at < r->len)
        r->at++;
    return r->at > start;
}

static int read_number(struct reader *r, struct onward_str *out)
{
    size_t start = r->at;

    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0')
        r->at++;
    else if (!skip_digits(r))
        return syntax(r, "no value, expected one");
    if (peek(r) == '.') {
        r->at++;
        if (!skip_digits(r))
            return syntax(r, "number without digits after the point");
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (!skip_digits(r))
            return syntax(r, "number without digits in the exponent");
    }
    if (onward_ascii_is_digit((unsigned char)peek(r)))
        return syntax(r, "number with a leading zero");
    if (onward_core__arena_dup(
            r->arena, onward_core__str(r->text + start, r->at - start), out))
        return no_memory(r);
    return 0;
}

static int read_literal(struct reader *r, enum onward_json_type *type)
{
    static const struct {
        struct onward_str name;
        enum onward_json_type type;
    } literals[] = {{{"true", 4}, ONWARD_JSON_TRUE},
                    {{"false", 5}, ONWARD_JSON_FALSE},
                    {{"null", 4}, ONWARD_JSON_NULL}};
    struct onward_str rest = onward_core__str(r->text + r->at, r->len - r->at);

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        if (onward_core__str_starts(rest, literals[i].name)) {
            r->at += literals[i].name.len;
            *type = literals[i].type;
            return 0;
        }
    }
    return syntax(r, "no value, expected one");
}

/* Keys of different objects share the table: the object is part of the key. */
static uint64_t key_hash(const struct reader *r, const struct onward_json *v)
{
    return onward_core__hash(r->arena->ctx, v->key.data, v->key.len) ^
           (uint64_t)(uintptr_t)v->parent;
}

static int remember_key(struct reader *r, const struct onward_json *v)
{
    struct key_node *entry = onward_core__arena_alloc(r->arena, sizeof(*entry));

    if (entry == NULL)
        return no_memory(r);
    entry->value = v;
    onward_core__table_add(&r->keys, &entry->node, key_hash(r, v));
    return 0;
}

static bool is_same_key(const struct onward_json *a,
                        const struct onward_json *b)
{
    return a->parent == b->parent && onward_core__str_eq(a->key, b->key);
}

static int find_duplicate_in_table(struct reader *r,
                                   const struct onward_json *v)
{
    struct onward_core__node *n =
        onward_core__table_find(&r->keys, key_hash(r, v));

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        if (is_same_key(((struct key_node *)(void *)n)->value, v))
            return duplicate(r, v);
    }
    return remember_key(r, v);
}

/* v is not yet among its parent's items. Two readers of one text may pick
 * different ones of two members, so there must not be two (RFC 8259
 * section 4). */
static int check_duplicate(struct reader *r, const struct onward_json *v)
{
    const struct onward_json *other;
    int ret;

    if (v->parent->count < FEW_MEMBERS) {
        for (other = v->parent->first; other != NULL; other = other->next) {
            if (is_same_key(other, v))
                return duplicate(r, v);
        }
        return 0;
    }
    if (!r->has_table) {
        if (onward_core__table_init(&r->keys, r->arena->ctx) != 0)
            return no_memory(r);
        r->has_table = true;
    }
    if (v->parent->count == FEW_MEMBERS) {
        for (other = v->parent->first; other != NULL; other = other->next) {
            ret = remember_key(r, other);
            if (ret != 0)
                return ret;
        }
    }
    return find_duplicate_in_table(r, v);
}

static int read_key(struct reader *r, struct onward_json *v)
{
    int ret;

    if (peek(r) != '"')
        return syntax(r, "no key in quotes, expected one");
    ret = read_string(r, &v->key);
    if (ret == 0)
        ret = check_duplicate(r, v);
    if (ret != 0)
        return ret;
    skip_space(r);
    if (peek(r) != ':')
        return syntax(r, "no colon behind the key, expected one");
    r->at++;
    skip_space(r);
    return 0;
}

static void append(struct reader *r, struct onward_json *v)
{
    if (r->open == NULL)
        r->root = v;
    else if (r->last == NULL)
        r->open->first = v;
    else
        r->last->next = v;
    if (r->open != NULL)
        v->index = r->open->count++;
    r->last = v;
}

/* ---- Handing items over ------------------------------------------------- */

static void begin_taking(struct reader *r, struct onward_json *v)
{
    if (r->taker == NULL || r->taking != NULL || v->type != ONWARD_JSON_ARRAY ||
        !r->taker->wants(r->taker->user, v))
        return;
    r->taking = v;
    r->kept = r->arena;
    r->arena = r->taker->items;
    r->kept_keys = r->keys;
    r->has_kept_table = r->has_table;
    r->has_table = false;
}

static void forget_item(struct reader *r)
{
    if (r->has_table)
        onward_core__table_clear(&r->keys);
    r->has_table = false;
    r->taking->first = NULL;
    r->last = &r->taken;
    onward_core__arena_reset(r->arena);
}

static int take_item(struct reader *r)
{
    int ret = r->taker->take(r->taker->user, r->last);

    forget_item(r);
    return ret;
}

static void end_taking(struct reader *r)
{
    r->taking = NULL;
    r->arena = r->kept;
    r->keys = r->kept_keys;
    r->has_table = r->has_kept_table;
}

/* One value; of a container only its opening bracket. */
static int read_value(struct reader *r)
{
    struct onward_json *v = onward_core__arena_alloc(r->arena, sizeof(*v));
    int ret = 0;

    if (v == NULL)
        return no_memory(r);
    v->parent = r->open;
    v->line = r->line;
    if (r->open != NULL && r->open->type == ONWARD_JSON_OBJECT)
        ret = read_key(r, v);
    if (ret != 0)
        return ret;
    v->line = r->line;
    append(r, v);
    switch (peek(r)) {
    case '{':
    case '[':
        v->type = peek(r) == '{' ? ONWARD_JSON_OBJECT : ONWARD_JSON_ARRAY;
        if (++r->depth > r->max_depth)
            return refuse(r, ONWARD_ELIMIT, "nested too deep, expected less");
        r->at++;
        r->open = v;
        r->last = NULL;
        begin_taking(r, v);
        return 0;
    case '"':
        v->type = ONWARD_JSON_STRING;
        return read_string(r, &v->text);
    case 't':
    case 'f':
    case 'n':
        return read_literal(r, &v->type);
    default:
        v->type = ONWARD_JSON_NUMBER;
        return read_number(r, &v->text);
    }
}

static bool at_close(const struct reader *r)
{
    return peek(r) == (r->open->type == ONWARD_JSON_OBJECT ? '}' : ']');
}

/* Behind a value or an opening bracket: close what ends here. True in *more
 * when a value must follow. */
static int read_between(struct reader *r, bool *more)
{
    *more = false;
    for (;;) {
        if (r->taking != NULL && r->open == r->taking && r->last != NULL &&
            r->last != &r->taken) {
            int ret = take_item(r);

            if (ret != 0)
                return ret;
        }
        skip_space(r);
        if (r->open == NULL)
            return 0;
        if (at_close(r)) {
            if (r->open == r->taking)
                end_taking(r);
            r->at++;
            r->depth--;
            r->last = r->open;
            r->open = r->open->parent;
            continue;
        }
        *more = true;
        if (r->last == NULL)
            return 0;
        if (peek(r) != ',')
            return syntax(r, r->open->type == ONWARD_JSON_OBJECT
                                 ? "no comma, expected one or }"
                                 : "no comma, expected one or ]");
        r->at++;
        skip_space(r);
        return 0;
    }
}

static int read_text(struct reader *r)
{
    bool more = true;
    int ret = 0;

    skip_space(r);
    while (ret == 0 && more) {
        ret = read_value(r);
        if (ret == 0)
            ret = read_between(r, &more);
    }
    if (ret == 0 && r->at != r->len)
        ret = syntax(r, "text behind the value, expected none");
    return ret;
}

int onward_json__parse(struct onward_arena *arena, struct onward_str text,
                       size_t max_depth, struct onward_json **root,
                       struct onward_json_fault *fault)
{
    return onward_json__parse_taking(arena, text, max_depth, NULL, root, fault);
}

int onward_json__parse_taking(struct onward_arena *arena,
                              struct onward_str text, size_t max_depth,
                              const struct onward_json_taker *taker,
                              struct onward_json **root,
                              struct onward_json_fault *fault)
{
    struct onward_json_fault unused;
    struct reader r = {.arena = arena,
                       .text = (const unsigned char *)text.data,
                       .len = text.len,
                       .line = 1,
                       .max_depth = max_depth,
                       .taker = taker,
                       .fault = fault == NULL ? &unused : fault};
    int ret = read_text(&r);

    if (r.has_table)
        onward_core__table_clear(&r.keys);
    if (r.taking != NULL && r.has_kept_table) /* ended inside an item */
        onward_core__table_clear(&r.kept_keys);
    if (ret == 0)
        *root = r.root;
    return ret;
}

struct onward_json *onward_json__get(const struct onward_json *v,
                                     const char *name)
{
    struct onward_str key = onward_str_of(name);

    if (v == NULL || v->type != ONWARD_JSON_OBJECT)
        return NULL;
    for (struct onward_json *item = v->first; item != NULL; item = item->next) {
        if (onward_core__str_eq(item->key, key))
            return item;
    }
    return NULL;
}

/* The ancestor of v that has `up` generations below it down to v. */
static const struct onward_json *ancestor(const struct onward_json *v,
                                          size_t up)
{
    for (; up > 0; up--)
        v = v->parent;
    return v;
}

int onward_json__path(struct onward_buf *out, const struct onward_json *v)
{
    size_t depth = 0, start = out->len;

    for (const struct onward_json *p = v; p->parent != NULL; p = p->parent)
        depth++;
    while (depth > 0) {
        const struct onward_json *step = ancestor(v, --depth);

        if (step->parent->type == ONWARD_JSON_ARRAY) {
            onward_core__buf_add_byte(out, '[');
            onward_core__buf_add_u64(out, step->index);
            onward_core__buf_add_byte(out, ']');
        } else {
            if (out->len > start)
                onward_core__buf_add_byte(out, '.');
            onward_core__escape(out, step->key, 64);
        }
    }
    return out->err;
}

int onward_json__int(const struct onward_json *v, int64_t *out)
{
    struct onward_str digits;
    bool is_negative;
    uint64_t value;

    if (v == NULL || v->type != ONWARD_JSON_NUMBER)
        return ONWARD_ESYNTAX;
    is_negative = v->text.data[0] == '-';
    digits = onward_core__sub(v->text, is_negative, v->text.len);
    if (onward_core__parse_u64(digits, 19, &value) != 0 ||
        value > (uint64_t)INT64_MAX + is_negative)
        return ONWARD_ESYNTAX;
    /* -value in steps that fit, for INT64_MIN */
    *out =
        is_negative && value != 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return 0;
}
