/*
 * The parameters of a MIME field (RFC 2045 section 5.1, RFC 2231): first every
 * `name=value` there is, then sections joined to parameters. Memory follows the
 * octets present: the number of a section is only ever compared.
 */
#include "mime/params_priv.h"

#include "core/text_shared.h"

enum { SECTION_NONE = -1, SECTION_BAD = -2, SECTION_DIGITS = 4 };

struct reader {
    struct onward_arena *arena;
    struct onward_str s;
    size_t at;
    struct onward_mime__params *p;
    struct onward_mime__param *found; /* sections and whole ones */
    size_t found_count;
};

/* ---- One by one -------------------------------------------------------- */

static int copy_lower(struct onward_arena *arena, struct onward_str s,
                      struct onward_str *out)
{
    char *copy = NULL;

    if (s.len > 0) {
        copy = onward_core__arena_alloc(arena, s.len);
        if (copy == NULL)
            return ONWARD_ENOMEM;
    }
    for (size_t i = 0; i < s.len; i++)
        copy[i] = (char)onward_ascii_lower((unsigned char)s.data[i]);
    *out = onward_core__str(copy, s.len);
    return 0;
}

/* A quoted string without quotes, backslashes and line ends of folds. */
static int read_quoted(struct reader *r, struct onward_mime__param *param)
{
    bool is_open = false;
    size_t from = r->at + 1;
    size_t end = onward_mime__quoted_end(r->s, r->at, &is_open);
    size_t to = is_open ? end : end - 1, len = 0;
    char *copy;

    r->at = end;
    if (is_open)
        param->notes |= ONWARD_TEXT_LOOSE;
    if (to <= from)
        return 0;
    copy = onward_core__arena_alloc(r->arena, to - from);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (; from < to; from++) {
        if (r->s.data[from] == '\r' || r->s.data[from] == '\n')
            continue;
        if (r->s.data[from] == '\\' && from + 1 < to)
            from++;
        copy[len++] = r->s.data[from];
    }
    param->octets = onward_core__str(copy, len);
    return 0;
}

/* Up to the semicolon, or to a comment behind white space. */
static int read_unquoted(struct reader *r, struct onward_mime__param *param)
{
    size_t start = r->at;
    struct onward_str raw;
    bool has_fold = false;
    char *copy;
    size_t len = 0;

    for (; r->at < r->s.len && r->s.data[r->at] != ';'; r->at++) {
        if (r->s.data[r->at] == '(' && r->at > start &&
            onward_mime__is_lwsp((unsigned char)r->s.data[r->at - 1]))
            break;
        has_fold = has_fold || r->s.data[r->at] == '\n';
    }
    raw = onward_core__str_trim_crlf(onward_core__sub(r->s, start, r->at));
    for (size_t i = 0; i < raw.len; i++) {
        if (!onward_mime__is_token_octet((unsigned char)raw.data[i]))
            param->notes |= ONWARD_TEXT_LOOSE;
    }
    param->octets = raw;
    if (!has_fold || raw.len == 0)
        return 0;
    copy = onward_core__arena_alloc(r->arena, raw.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] != '\r' && raw.data[i] != '\n')
            copy[len++] = raw.data[i];
    }
    param->octets = onward_core__str(copy, len);
    return 0;
}

/* The section that a name ends in, "*0" or "*12"; taken off the name. */
static int32_t take_section(struct onward_str *name)
{
    size_t star = onward_core__str_rfind(*name, '*');
    struct onward_str digits = onward_core__sub(*name, star + 1, name->len);
    uint64_t number;

    if (star == name->len)
        return SECTION_NONE;
    name->len = star;
    if (onward_core__parse_u64(digits, SECTION_DIGITS, &number) != 0 ||
        (digits.len > 1 && digits.data[0] == '0'))
        return SECTION_BAD;
    return (int32_t)number;
}

static int read_name(struct reader *r, struct onward_mime__param *param)
{
    size_t start = r->at;
    struct onward_str name;

    while (r->at < r->s.len &&
           onward_mime__is_token_octet((unsigned char)r->s.data[r->at]))
        r->at++;
    name = onward_core__sub(r->s, start, r->at);
    if (name.len > 1 && name.data[name.len - 1] == '*') {
        param->is_extended = true;
        name.len--;
    }
    param->section = take_section(&name);
    return copy_lower(r->arena, name, &param->name);
}

/* To the next semicolon that stands outside of quotes and comments. */
static void skip_rest(struct reader *r)
{
    bool is_open = false;

    while (r->at < r->s.len && r->s.data[r->at] != ';') {
        if (r->s.data[r->at] == '"')
            r->at = onward_mime__quoted_end(r->s, r->at, &is_open);
        else if (r->s.data[r->at] == '(')
            r->at = onward_mime__comment_end(r->s, r->at, &is_open);
        else
            r->at++;
    }
}

static void skip_cfws(struct reader *r)
{
    bool is_open = false;

    r->at = onward_mime__skip_cfws(r->s, r->at, &is_open);
    if (is_open)
        r->p->notes |= ONWARD_TEXT_LOOSE;
}

/* name "=" value, behind a semicolon. */
static int read_param(struct reader *r)
{
    struct onward_mime__param param = {0};
    size_t behind;
    int err;

    skip_cfws(r);
    if (r->at == r->s.len || r->s.data[r->at] == ';')
        return 0;
    err = read_name(r, &param);
    skip_cfws(r);
    if (err != 0)
        return err;
    if (param.name.len == 0 || r->at == r->s.len || r->s.data[r->at] != '=') {
        r->p->notes |= ONWARD_TEXT_LOOSE;
        skip_rest(r);
        return 0;
    }
    r->at++;
    skip_cfws(r);
    if (r->at < r->s.len && r->s.data[r->at] == '"')
        err = read_quoted(r, &param);
    else
        err = read_unquoted(r, &param);
    if (err != 0)
        return err;
    skip_cfws(r);
    behind = r->at;
    skip_rest(r);
    if (r->at != behind)
        param.notes |= ONWARD_TEXT_LOOSE;
    if (r->found_count == ONWARD_MIME__PARAMS_MAX) {
        r->p->notes |= ONWARD_TEXT_SECTIONS;
        r->at = r->s.len;
        return 0;
    }
    r->found[r->found_count++] = param;
    return 0;
}

/* type "/" subtype, or one word. */
static int read_tokens(struct reader *r)
{
    for (size_t i = 0; i < 2; i++) {
        size_t start;
        int err;

        skip_cfws(r);
        start = r->at;
        while (r->at < r->s.len &&
               onward_mime__is_token_octet((unsigned char)r->s.data[r->at]))
            r->at++;
        err = copy_lower(r->arena, onward_core__sub(r->s, start, r->at),
                         &r->p->tokens[i]);
        if (err != 0)
            return err;
        skip_cfws(r);
        if (i == 0) {
            if (r->at == r->s.len || r->s.data[r->at] != '/')
                break;
            r->at++;
        }
    }
    if (r->at < r->s.len && r->s.data[r->at] != ';')
        r->p->notes |= ONWARD_TEXT_LOOSE;
    skip_rest(r);
    r->p->value = onward_core__str_trim_crlf(onward_core__sub(r->s, 0, r->at));
    return 0;
}

/* ---- Sections to parameters -------------------------------------------- */

static int hex_at(struct onward_str s, size_t at)
{
    return at < s.len ? onward_ascii_hex((unsigned char)s.data[at]) : -1;
}

/* Percent escapes undone; a bad one stays. out has room for s.len. */
static size_t unescape(char *out, struct onward_str s, uint64_t *notes)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        int high = hex_at(s, i + 1), low = hex_at(s, i + 2);

        if (s.data[i] == '%' && high >= 0 && low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
            continue;
        }
        if (s.data[i] == '%')
            *notes |= ONWARD_TEXT_DAMAGED;
        out[len++] = s.data[i];
    }
    return len;
}

/* charset "'" language "'" off the front of an extended value. */
static struct onward_str take_charset(struct onward_mime__param *param,
                                      struct onward_str value)
{
    size_t first = onward_core__str_find(value, '\'');
    struct onward_str rest = onward_core__sub(value, first + 1, value.len);
    size_t second = onward_core__str_find(rest, '\'');

    if (first == value.len || second == rest.len) {
        param->notes |= ONWARD_TEXT_DAMAGED;
        return value;
    }
    param->charset = onward_core__sub(value, 0, first);
    param->language = onward_core__sub(rest, 0, second);
    return onward_core__sub(rest, second + 1, rest.len);
}

/* Sections of one name, in order: joined into made->octets. */
static int join(struct onward_arena *arena, struct onward_mime__param **parts,
                size_t count, struct onward_mime__param *made)
{
    size_t room = 0, len = 0;
    char *copy;

    for (size_t i = 0; i < count; i++)
        room += parts[i]->octets.len;
    made->octets = onward_core__str(NULL, 0);
    if (room == 0)
        return 0;
    copy = onward_core__arena_alloc(arena, room);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct onward_str value = parts[i]->octets;

        made->notes |= parts[i]->notes;
        if (!parts[i]->is_extended) {
            if (value.len > 0)
                memcpy(copy + len, value.data, value.len);
            len += value.len;
            continue;
        }
        if (i == 0)
            value = take_charset(made, value);
        len += unescape(copy + len, value, &made->notes);
    }
    made->octets = onward_core__str(copy, len);
    return 0;
}

/* What counts first in a group of equal names: name*, name*0, name. */
static int rank(const struct onward_mime__param *param)
{
    if (param->section == SECTION_BAD)
        return 3;
    if (param->section == SECTION_NONE)
        return param->is_extended ? 0 : 2;
    return 1;
}

/* By name, rank, section and place: an order that no two share. */
static int order(const struct onward_mime__param *a,
                 const struct onward_mime__param *b)
{
    int by = onward_core__str_cmp(a->name, b->name);

    if (by == 0)
        by = rank(a) - rank(b);
    if (by == 0)
        by = a->section - b->section;
    if (by == 0)
        by = a < b ? -1 : a > b;
    return by;
}

/* Heap sort: no worse case, no recursion. */
static void sort(struct onward_mime__param **list, size_t count)
{
    size_t start = count / 2, end = count;

    while (end > 1) {
        size_t root;

        if (start > 0) {
            start--;
        } else {
            struct onward_mime__param *top = list[0];

            list[0] = list[--end];
            list[end] = top;
        }
        for (root = start; root * 2 + 1 < end;) {
            size_t child = root * 2 + 1;
            struct onward_mime__param *moved = list[root];

            if (child + 1 < end && order(list[child], list[child + 1]) < 0)
                child++;
            if (order(moved, list[child]) >= 0)
                break;
            list[root] = list[child];
            list[child] = moved;
            root = child;
        }
    }
}

/* The group of one name into the place of its first member. True in *is_made
 * when something counts. */
static int make_one(struct onward_arena *arena,
                    struct onward_mime__param **group, size_t count,
                    struct onward_mime__param *made, bool *is_made)
{
    struct onward_mime__param *first = group[0];
    size_t used = 1;

    *made = (struct onward_mime__param){.name = first->name,
                                        .section = SECTION_NONE,
                                        .is_extended = first->is_extended};
    *is_made = false;
    if (rank(first) == 3 || first->section > 0) {
        made->notes = ONWARD_TEXT_SECTIONS;
        return 0;
    }
    *is_made = true;
    if (first->section == 0) {
        size_t next = 1;

        /* In place: the group is sorted, what is skipped stands behind. */
        for (; next < count && group[next]->section >= 0; next++) {
            int32_t want = group[used - 1]->section + 1;

            if (group[next]->section == want)
                group[used++] = group[next];
            else
                made->notes |= ONWARD_TEXT_SECTIONS;
        }
    } else if (count > 1 && rank(group[1]) == rank(first)) {
        made->notes |= ONWARD_TEXT_DUPLICATE;
    }
    return join(arena, group, used, made);
}

static int make_all(struct reader *r)
{
    struct onward_mime__param **list;
    struct onward_mime__param *made;
    bool is_made;

    if (r->found_count == 0)
        return 0;
    list = onward_core__arena_array(r->arena, r->found_count, sizeof(*list));
    made = onward_core__arena_array(r->arena, r->found_count, sizeof(*made));
    if (list == NULL || made == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < r->found_count; i++)
        list[i] = &r->found[i];
    sort(list, r->found_count);
    for (size_t from = 0, to; from < r->found_count; from = to) {
        size_t place = SIZE_MAX;
        int err;

        for (to = from; to < r->found_count &&
                        onward_core__str_eq(list[from]->name, list[to]->name);
             to++) {
            size_t at = (size_t)(list[to] - r->found);

            place = at < place ? at : place;
        }
        err =
            make_one(r->arena, list + from, to - from, &made[place], &is_made);
        if (err != 0)
            return err;
        if (!is_made) {
            made[place].name.len = 0;
            r->p->notes |= ONWARD_TEXT_SECTIONS;
        }
    }
    for (size_t i = 0; i < r->found_count; i++) {
        if (made[i].name.len > 0)
            made[r->p->count++] = made[i];
    }
    r->p->items = made;
    return 0;
}

int onward_mime__params_read(struct onward_arena *arena,
                             struct onward_str value,
                             struct onward_mime__params *p)
{
    struct onward_mime__param found[ONWARD_MIME__PARAMS_MAX];
    struct reader r = {.arena = arena, .s = value, .p = p, .found = found};
    int err;

    memset(p, 0, sizeof(*p));
    err = read_tokens(&r);
    while (err == 0 && r.at < value.len) {
        r.at++; /* the semicolon */
        err = read_param(&r);
    }
    return err == 0 ? make_all(&r) : err;
}

/* ---- Their texts ------------------------------------------------------- */

static bool has_word(struct onward_str s)
{
    for (size_t i = 0; s.len >= 2 && i < s.len - 1; i++) {
        if (s.data[i] == '=' && s.data[i + 1] == '?')
            return true;
    }
    return false;
}

int onward_mime__param_decode(struct onward_arena *arena,
                              struct onward_mime__param *param,
                              const struct onward_mime__text_opts *opts)
{
    struct onward_buf out;
    int err;

    if (param->charset.len == 0 && onward_core__is_ascii(param->octets) &&
        !has_word(param->octets)) {
        param->text = param->octets;
        param->notes |= onward_mime__text_look(param->text);
        return 0;
    }
    onward_core__buf_init(&out, arena->ctx, opts->max_bytes);
    if (param->charset.len != 0) {
        err = onward_mime__convert_all(&out, param->charset, param->octets,
                                       &opts->charsets, &param->notes);
        if (err == ONWARD_ENOENT) {
            param->notes |= ONWARD_TEXT_UNKNOWN_CHARSET;
            err = onward_mime__convert_all(&out, ONWARD_STR("us-ascii"),
                                           param->octets, NULL, &param->notes);
        }
    } else if (has_word(param->octets)) {
        err = onward_mime__add_words(&out, param->octets,
                                     ONWARD_WORDS_UNSTRUCTURED, opts,
                                     &param->notes);
        param->notes |= ONWARD_TEXT_LOOSE;
    } else {
        err = onward_mime__add_raw(&out, param->octets, opts, &param->notes);
    }
    if (err == 0)
        err = onward_core__arena_dup(arena, onward_core__buf_str(&out),
                                     &param->text);
    onward_core__buf_clear(&out);
    param->notes |= onward_mime__text_look(param->text);
    return err;
}

struct onward_mime__param *
onward_mime__params_find(const struct onward_mime__params *p,
                         struct onward_str name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (onward_core__str_eq(p->items[i].name, name))
            return &p->items[i];
    }
    return NULL;
}

/* ---- Public ------------------------------------------------------------ */

struct onward_params {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct onward_mime__params p;
};

int onward_params_parse(struct onward_ctx *ctx, struct onward_str value,
                        const struct onward_text_opts *opts,
                        struct onward_params **params)
{
    struct onward_mime__text_opts o;
    struct onward_params *made;
    int err = onward_mime__text_opts_load(&o, opts);

    if (err != 0)
        return err;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&made->arena, ctx, SIZE_MAX);
    err = onward_core__arena_dup(&made->arena, value, &value);
    if (err == 0)
        err = onward_mime__params_read(&made->arena, value, &made->p);
    for (size_t i = 0; err == 0 && i < made->p.count; i++)
        err = onward_mime__param_decode(&made->arena, &made->p.items[i], &o);
    if (err != 0) {
        onward_params_free(made);
        return err;
    }
    *params = made;
    return 0;
}

void onward_params_free(struct onward_params *params)
{
    struct onward_ctx *ctx;

    if (params == NULL)
        return;
    ctx = params->ctx;
    onward_core__arena_clear(&params->arena);
    onward_core__free(ctx, params);
    onward_ctx_free(ctx);
}

struct onward_str onward_params_value(const struct onward_params *params)
{
    return params->p.value;
}

struct onward_str onward_params_token(const struct onward_params *params,
                                      size_t i)
{
    return i < 2 ? params->p.tokens[i] : onward_core__str(NULL, 0);
}

size_t onward_params_count(const struct onward_params *params)
{
    return params->p.count;
}

/* What is asked when there is no parameter i. */
static const struct onward_mime__param none;

static const struct onward_mime__param *item(const struct onward_params *params,
                                             size_t i)
{
    return i < params->p.count ? &params->p.items[i] : &none;
}

struct onward_str onward_params_name(const struct onward_params *params,
                                     size_t i)
{
    return item(params, i)->name;
}

struct onward_str onward_params_text(const struct onward_params *params,
                                     size_t i)
{
    return item(params, i)->text;
}

struct onward_str onward_params_raw(const struct onward_params *params,
                                    size_t i)
{
    return item(params, i)->octets;
}

struct onward_str onward_params_charset(const struct onward_params *params,
                                        size_t i)
{
    return item(params, i)->charset;
}

struct onward_str onward_params_language(const struct onward_params *params,
                                         size_t i)
{
    return item(params, i)->language;
}

size_t onward_params_find(const struct onward_params *params,
                          struct onward_str name)
{
    for (size_t i = 0; i < params->p.count; i++) {
        if (onward_core__str_ieq(params->p.items[i].name, name))
            return i;
    }
    return SIZE_MAX;
}

uint64_t onward_params_notes(const struct onward_params *params, size_t i)
{
    return i == SIZE_MAX ? params->p.notes : item(params, i)->notes;
}
