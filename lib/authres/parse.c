/*
 * The reader of Authentication-Results: RFC 8601 section 2.2 with erratum 6026.
 * One pass; the text of a comment never becomes a result.
 */
#include "address/address_shared.h"
#include "authres/syntax_priv.h"
#include "core/text_shared.h"

enum { DEFAULT_MAX_ITEMS = 1000 };

struct property {
    struct property *next;
    struct onward_str ptype, property, value;
};

struct result {
    struct result *next;
    struct onward_str method, result, reason;
    struct onward_str text; /* as it is written */
    uint64_t version;
    struct property *properties;
    size_t property_count;
};

struct onward_authres {
    struct onward_arena arena;
    struct onward_str text; /* the whole value */
    struct onward_str authserv_id;
    struct result **results; /* an array, for access by number */
    size_t count;
    struct onward_address__fault fault; /* what is NULL: none */
};

struct parser {
    struct onward_arena *arena;
    struct onward_str text;
    size_t at;
    struct onward_address__fault *fault;
    size_t items_left;
    struct result *first, *last;
    struct property *last_property;
    size_t count;
};

static int refuse(const struct parser *p, const char *what)
{
    p->fault->at = p->at;
    p->fault->what = what;
    return ONWARD_ESYNTAX;
}

static int peek(const struct parser *p)
{
    return p->at < p->text.len ? (unsigned char)p->text.data[p->at] : -1;
}

static int skip_cfws(struct parser *p)
{
    return onward_address__read_cfws(p->text, &p->at, p->fault);
}

/* octet, and the CFWS around it. */
static int expect(struct parser *p, char octet, const char *what)
{
    int ret = skip_cfws(p);

    if (ret != 0)
        return ret;
    if (peek(p) != octet)
        return refuse(p, what);
    p->at++;
    return skip_cfws(p);
}

/* A keyword in lower case. */
static int read_keyword(struct parser *p, struct onward_str *out,
                        const char *what)
{
    size_t start = p->at;
    char *copy;

    while (peek(p) >= 0 &&
           onward_authres__is_keyword_octet((unsigned char)peek(p)))
        p->at++;
    if (p->at == start)
        return refuse(p, what);
    copy = onward_core__arena_alloc(p->arena, p->at - start);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = start; i < p->at; i++)
        copy[i - start] =
            (char)onward_ascii_lower((unsigned char)p->text.data[i]);
    *out = onward_core__str(copy, p->at - start);
    return 0;
}

static int read_quoted(struct parser *p, struct onward_str *out)
{
    size_t start = p->at;
    int ret = onward_address__read_quoted_string(p->text, &p->at, p->fault);

    if (ret != 0)
        return ret;
    return onward_authres__unquote(
        p->arena, onward_core__sub(p->text, start, p->at), out);
}

/* value: token or quoted string */
static int read_value(struct parser *p, struct onward_str *out,
                      const char *what)
{
    size_t start = p->at;

    if (peek(p) == '"')
        return read_quoted(p, out);
    while (peek(p) >= 0 &&
           onward_authres__is_token_octet((unsigned char)peek(p)))
        p->at++;
    if (p->at == start)
        return refuse(p, what);
    *out = onward_core__sub(p->text, start, p->at);
    return 0;
}

/* What large senders write without the quotes that it needs: addresses, base64,
 * IPv6 addresses, "<>". */
static bool is_bare_octet(int octet)
{
    return octet > 0x20 && octet != 0x7f && memchr(";()\"\\", octet, 5) == NULL;
}

/* value / [ [ local-part ] "@" ] domain-name */
static int read_pvalue(struct parser *p, struct onward_str *out)
{
    size_t start = p->at;

    if (peek(p) == '"') {
        int ret = read_quoted(p, out);

        if (ret != 0 || peek(p) != '@')
            return ret;
    }
    while (is_bare_octet(peek(p)))
        p->at++;
    if (p->at == start)
        return refuse(p, "property without a value");
    *out = onward_core__sub(p->text, start, p->at);
    return 0;
}

static int take_item(struct parser *p)
{
    if (p->items_left == 0)
        return ONWARD_ELIMIT;
    p->items_left--;
    return 0;
}

/* ptype was read */
static int read_property(struct parser *p, struct onward_str ptype)
{
    struct property *prop;
    int ret = take_item(p);

    if (ret != 0)
        return ret;
    prop = onward_core__arena_alloc(p->arena, sizeof(*prop));
    if (prop == NULL)
        return ONWARD_ENOMEM;
    prop->ptype = ptype;
    ret = expect(p, '.', "property without a type");
    if (ret == 0)
        ret = read_keyword(p, &prop->property, "expected a property");
    if (ret == 0)
        ret = expect(p, '=', "property without a value");
    if (ret == 0)
        ret = read_pvalue(p, &prop->value);
    if (ret != 0)
        return ret;
    if (p->last_property == NULL)
        p->last->properties = prop;
    else
        p->last_property->next = prop;
    p->last_property = prop;
    p->last->property_count++;
    return 0;
}

/* reasonspec or propspec */
static int read_spec(struct parser *p)
{
    struct onward_str name;
    int ret = read_keyword(p, &name, "expected a property");

    if (ret == 0)
        ret = skip_cfws(p);
    if (ret != 0)
        return ret;
    if (peek(p) != '=' || !onward_core__str_eq(name, ONWARD_STR("reason")))
        return read_property(p, name);
    if (p->last->reason.data != NULL)
        return refuse(p, "second reason");
    p->at++;
    ret = skip_cfws(p);
    return ret == 0 ? read_value(p, &p->last->reason, "reason without a text")
                    : ret;
}

static int read_method_version(struct parser *p)
{
    size_t start;
    int ret;

    p->at++;
    ret = skip_cfws(p);
    if (ret != 0)
        return ret;
    for (start = p->at;
         peek(p) >= 0 && onward_ascii_is_digit((unsigned char)peek(p));)
        p->at++;
    if (onward_core__parse_u64(onward_core__sub(p->text, start, p->at), 9,
                               &p->last->version) != 0)
        return refuse(p, "method version that is no number");
    return skip_cfws(p);
}

static int add_result(struct parser *p, struct onward_str method)
{
    struct result *result;
    int ret = take_item(p);

    if (ret != 0)
        return ret;
    result = onward_core__arena_alloc(p->arena, sizeof(*result));
    if (result == NULL)
        return ONWARD_ENOMEM;
    result->method = method;
    result->version = 1;
    if (p->last == NULL)
        p->first = result;
    else
        p->last->next = result;
    p->last = result;
    p->last_property = NULL;
    p->count++;
    return 0;
}

/* methodspec [ reasonspec ] *propspec; the method was read. */
static int read_result(struct parser *p, struct onward_str method)
{
    int ret = add_result(p, method);

    if (ret == 0 && peek(p) == '/')
        ret = read_method_version(p);
    if (ret == 0)
        ret = expect(p, '=', "method without a result");
    if (ret == 0)
        ret = read_keyword(p, &p->last->result, "expected a result");
    while (ret == 0) {
        size_t end = p->at;

        ret = skip_cfws(p);
        if (ret != 0 || peek(p) < 0 || peek(p) == ';')
            break;
        if (p->at == end)
            return refuse(p, "expected a blank");
        ret = read_spec(p);
    }
    return ret;
}

/* Behind a semicolon. */
static int read_resinfo(struct parser *p, bool *is_none)
{
    struct onward_str method;
    int ret = read_keyword(p, &method, "expected a method");

    if (ret == 0)
        ret = skip_cfws(p);
    if (ret != 0)
        return ret;
    if (onward_core__str_eq(method, ONWARD_STR("none")) && peek(p) != '=' &&
        peek(p) != '/') {
        *is_none = true;
        return p->count == 0 ? 0 : refuse(p, "none beside results");
    }
    return read_result(p, method);
}

/* [CFWS] authserv-id [ CFWS authres-version ] */
static int read_head(struct parser *p, struct onward_str *authserv_id)
{
    size_t start;
    uint64_t version = 1;
    int ret = skip_cfws(p);

    if (ret == 0)
        ret = read_value(p, authserv_id, "expected an authserv-id");
    if (ret == 0)
        ret = skip_cfws(p);
    if (ret != 0)
        return ret;
    for (start = p->at;
         peek(p) >= 0 && onward_ascii_is_digit((unsigned char)peek(p));)
        p->at++;
    if (p->at > start &&
        (onward_core__parse_u64(onward_core__sub(p->text, start, p->at), 9,
                                &version) != 0 ||
         version != 1)) {
        p->at = start;
        return refuse(p, "unknown version");
    }
    return skip_cfws(p);
}

static int read_field(struct parser *p, struct onward_str *authserv_id)
{
    bool is_none = false;
    int ret = read_head(p, authserv_id);

    while (ret == 0) {
        size_t start;

        if (peek(p) < 0 && (p->count > 0 || is_none))
            return 0;
        if (peek(p) != ';')
            return refuse(p, "expected ; and a result");
        start = ++p->at;
        ret = skip_cfws(p);
        if (ret != 0)
            return ret;
        if (peek(p) < 0 && p->count > 0)
            return 0; /* Microsoft and others end with a semicolon */
        if (is_none)
            return refuse(p, "none beside results");
        ret = read_resinfo(p, &is_none);
        if (ret == 0 && !is_none)
            p->last->text = onward_core__str_trim_crlf(
                onward_core__sub(p->text, start, p->at));
    }
    return ret;
}

static int fill(struct onward_authres *a, struct onward_str value,
                size_t max_items)
{
    struct parser p = {
        .arena = &a->arena, .fault = &a->fault, .items_left = max_items};
    struct result *result;
    int ret = onward_core__arena_dup(&a->arena, value, &p.text);

    a->text = p.text;
    if (ret == 0)
        ret = read_field(&p, &a->authserv_id);
    if (ret == ONWARD_ESYNTAX) {
        a->authserv_id = (struct onward_str){0};
        return 0;
    }
    if (ret != 0)
        return ret;
    a->results =
        onward_core__arena_array(&a->arena, p.count, sizeof(a->results[0]));
    if (a->results == NULL)
        return ONWARD_ENOMEM;
    for (result = p.first; result != NULL; result = result->next)
        a->results[a->count++] = result;
    return 0;
}

int onward_authres_parse(struct onward_ctx *ctx, struct onward_str value,
                         const struct onward_authres_opts *opts,
                         struct onward_authres **authres)
{
    struct onward_authres_opts o;
    struct onward_authres *a;
    int ret = onward_core__opts_load(&o, sizeof(o), opts);

    if (ret != 0)
        return ret;
    a = onward_core__zalloc(ctx, sizeof(*a));
    if (a == NULL)
        return ONWARD_ENOMEM;
    onward_core__arena_init(&a->arena, onward_ctx_ref(ctx), SIZE_MAX);
    ret = fill(a, value, onward_core__limit(o.max_items, DEFAULT_MAX_ITEMS));
    if (ret != 0) {
        onward_authres_free(a);
        return ret;
    }
    *authres = a;
    return 0;
}

void onward_authres_free(struct onward_authres *authres)
{
    struct onward_ctx *ctx;

    if (authres == NULL)
        return;
    ctx = authres->arena.ctx;
    onward_core__arena_clear(&authres->arena);
    onward_core__free(ctx, authres);
    onward_ctx_free(ctx);
}

const char *onward_authres_fault(const struct onward_authres *authres,
                                 size_t *offset)
{
    if (authres->fault.what != NULL && offset != NULL)
        *offset = authres->fault.at;
    return authres->fault.what;
}

struct onward_str onward_authres_text(const struct onward_authres *authres)
{
    return authres->text;
}

struct onward_str
onward_authres_authserv_id(const struct onward_authres *authres)
{
    return authres->authserv_id;
}

size_t onward_authres_count(const struct onward_authres *authres)
{
    return authres->count;
}

/* Result i, or one that is empty. */
static const struct result *result_at(const struct onward_authres *a, size_t i)
{
    static const struct result none;

    return i < a->count ? a->results[i] : &none;
}

struct onward_str onward_authres_method(const struct onward_authres *authres,
                                        size_t i)
{
    return result_at(authres, i)->method;
}

uint64_t onward_authres_method_version(const struct onward_authres *authres,
                                       size_t i)
{
    return result_at(authres, i)->version;
}

struct onward_str onward_authres_result(const struct onward_authres *authres,
                                        size_t i)
{
    return result_at(authres, i)->result;
}

struct onward_str
onward_authres_result_text(const struct onward_authres *authres, size_t i)
{
    return result_at(authres, i)->text;
}

struct onward_str onward_authres_reason(const struct onward_authres *authres,
                                        size_t i)
{
    return result_at(authres, i)->reason;
}

size_t onward_authres_property_count(const struct onward_authres *authres,
                                     size_t i)
{
    return result_at(authres, i)->property_count;
}

int onward_authres_property(const struct onward_authres *authres, size_t i,
                            size_t j, struct onward_str *ptype,
                            struct onward_str *property,
                            struct onward_str *value)
{
    const struct property *prop = result_at(authres, i)->properties;

    while (prop != NULL && j-- > 0)
        prop = prop->next;
    if (prop == NULL)
        return 0;
    if (ptype != NULL)
        *ptype = prop->ptype;
    if (property != NULL)
        *property = prop->property;
    if (value != NULL)
        *value = prop->value;
    return 1;
}

struct onward_str onward_authres_value(const struct onward_authres *authres,
                                       size_t i, struct onward_str ptype,
                                       struct onward_str property)
{
    const struct property *prop = result_at(authres, i)->properties;

    for (; prop != NULL; prop = prop->next) {
        if (onward_core__str_eq(prop->ptype, ptype) &&
            onward_core__str_eq(prop->property, property))
            return prop->value;
    }
    return (struct onward_str){0};
}
