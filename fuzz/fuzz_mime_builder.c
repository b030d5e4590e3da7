/*
 * What is built reads back as it was said, whatever was said: no malformed
 * header, no bare CR or LF, no line over 998 octets, all values the same. The
 * input is a list of things to say; what the builder refuses is left out.
 */
#include "fuzz.h"

#include <stdbool.h>

#include <onward/address.h>
#include <onward/mime_builder.h>
#include <onward/mime_parser.h>

enum { ITEMS = 40, VALUE = 4096 };

struct input {
    const uint8_t *data;
    size_t len;
};

enum kind { ADDRESS, SUBJECT, TEXT, HTML, PART, FIELD, KINDS };

/* Something said that was taken. */
struct item {
    enum kind kind;
    int role;
    size_t place;
    struct onward_str name, value; /* of a part: file name, data */
    struct onward_str id;
};

struct said {
    struct item items[ITEMS];
    size_t count;
    struct onward_builder_opts opts;
};

static unsigned octet(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

static struct onward_str copy(const char *data, size_t len)
{
    char *mine = malloc(len + 1);

    FUZZ_CHECK(mine != NULL);
    if (len > 0)
        memcpy(mine, data, len);
    return (struct onward_str){mine, len};
}

/* Octets as they are, or one piece of a table for each. */
static struct onward_str value(struct input *in)
{
    static const char *const pieces[] = {
        "a",  "b",     "C",  " ",  " ",  "  ",  "\t", "\"", "\\", "=?",
        "?=", "=",     "_",  "?",  "(",  ")",   "<",  ">",  "@",  ",",
        ";",  ":",     "%",  "'",  "*",  "From ", ".", "\u00e9", "\u65e5",
        "\U0001f4e7", "\u202e", "0123456789012345678901234567890123456789"};
    unsigned how = octet(in);
    size_t count = octet(in), len = 0;
    char out[VALUE];

    if (how % 16 == 15)
        count *= 4;
    if (count > in->len)
        count = in->len;
    for (size_t i = 0; i < count; i++) {
        unsigned c = octet(in);
        const char *piece = pieces[c % 32];
        size_t n = how % 2 == 0 ? strlen(piece) : 1;

        if (len + n > sizeof(out))
            break;
        if (how % 2 != 0)
            out[len] = (char)c;
        else
            memcpy(out + len, piece, n);
        len += n;
    }
    return copy(out, len);
}

static void forget(struct said *said)
{
    for (size_t i = 0; i < said->count; i++) {
        free((char *)(uintptr_t)said->items[i].name.data);
        free((char *)(uintptr_t)said->items[i].value.data);
    }
}

/* ---- Saying ------------------------------------------------------------ */

static int say(struct onward_builder *b, struct input *in, struct item *item)
{
    static const char *const types[] = {"", "image/png", "text/x; a=\"b c\"",
                                        "message/rfc822"};
    static const char *const names[] = {"X-A", "List-Unsubscribe", "Comments"};
    struct onward_builder_part part = {.size = sizeof(part)};
    unsigned more = octet(in);

    item->kind = (enum kind)(octet(in) % KINDS);
    item->value = value(in);
    switch (item->kind) {
    case ADDRESS:
        item->role = (int)(more % 6) + 1;
        item->name = value(in);
        if (more % 5 != 0) { /* mostly one that is good */
            static const char *const good[] = {"a@example.com",
                                               "\"x y\"@example.com",
                                               "b.c+d@b\u00fccher.example"};

            free((char *)(uintptr_t)item->value.data);
            item->value = copy(good[more % 3], strlen(good[more % 3]));
        }
        return onward_builder_add_address(b, item->role, item->name,
                                          item->value);
    case SUBJECT:
        return onward_builder_set_subject(b, item->value);
    case TEXT:
        return onward_builder_set_text(b, item->value);
    case HTML:
        return onward_builder_set_html(b, item->value);
    case PART:
        item->name = value(in);
        item->place = more % 3;
        part.place = item->place;
        part.type = onward_str_of(types[more / 3 % 4]);
        part.file_name = item->name;
        part.data = item->value;
        if (more % 2 != 0)
            part.content_id = item->id = ONWARD_STR("x@example.com");
        return onward_builder_add_part(b, &part);
    case FIELD:
        item->name = copy(names[more % 3], strlen(names[more % 3]));
        return onward_builder_add_field(b, item->name, item->value);
    case KINDS:
        break;
    }
    return ONWARD_EINVAL;
}

static void say_all(struct onward_builder *b, struct input *in,
                    struct said *said)
{
    while (in->len > 0 && said->count < ITEMS) {
        struct item *item = &said->items[said->count];
        int err;

        *item = (struct item){0};
        err = say(b, in, item);
        FUZZ_CHECK(err != ONWARD_ENOMEM);
        if (err != 0) {
            free((char *)(uintptr_t)item->name.data);
            free((char *)(uintptr_t)item->value.data);
            continue;
        }
        if (item->kind == SUBJECT) { /* the last one counts */
            for (size_t i = 0; i < said->count; i++) {
                if (said->items[i].kind == SUBJECT)
                    said->items[i].kind = KINDS;
            }
        }
        said->count++;
    }
}

/* ---- Reading back ------------------------------------------------------ */

static struct onward_str read_all(const struct onward_source *s, size_t step)
{
    char *text = malloc((size_t)s->len + 1);
    uint64_t at = 0;

    FUZZ_CHECK(text != NULL);
    while (at < s->len) {
        size_t want = s->len - at < step ? (size_t)(s->len - at) : step;
        size_t got = 0;

        FUZZ_CHECK(s->read(s->user, at, text + at, want, &got) == 0);
        FUZZ_CHECK(got > 0 && got <= want);
        at += got;
    }
    return (struct onward_str){text, (size_t)at};
}

static void check_lines(struct onward_str text, bool allow_8bit)
{
    size_t line = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        FUZZ_CHECK(c != '\0' && (allow_8bit || c < 0x80));
        if (c == '\r') {
            FUZZ_CHECK(++i < text.len && text.data[i] == '\n');
            line = 0;
            continue;
        }
        FUZZ_CHECK(c != '\n');
        FUZZ_CHECK(++line <= 998);
    }
    FUZZ_CHECK(line == 0);
}

static struct onward_str trim(struct onward_str s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 &&
           (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The decoded value of item i, without the blank behind the colon. */
static void check_words(struct onward_header *h, size_t i, int place,
                        struct onward_str want)
{
    struct onward_text *text = NULL;
    struct onward_str value = onward_header_value(h, i), got;

    FUZZ_CHECK(onward_words_decode(fuzz_ctx(), value, place, NULL, &text) == 0);
    got = onward_text_str(text);
    if (got.len > 0 && got.data[0] == ' ' && got.len > want.len) {
        got.data++;
        got.len--;
    }
    FUZZ_CHECK(onward_str_equal(got, want));
    onward_text_free(text);
}

static bool is_ascii(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] >= 0x80)
            return false;
    }
    return true;
}

static void check_field(struct onward_header *h, const struct said *said,
                        const struct item *item)
{
    size_t i = onward_header_first(h, item->name);

    for (const struct item *before = said->items; before < item; before++) {
        if (before->kind == FIELD &&
            onward_str_equal(before->name, item->name))
            i = onward_header_below(h, i);
    }
    FUZZ_CHECK(i != ONWARD_HEADER_NONE);
    if (item->name.data[0] != 'L') {
        check_words(h, i, ONWARD_WORDS_UNSTRUCTURED, item->value);
    } else if (said->opts.allow_utf8 != 0 || is_ascii(item->value)) {
        struct onward_str text; /* as it is, encoded words and all */

        FUZZ_CHECK(onward_header_text(h, i, &text) == 0);
        FUZZ_CHECK(onward_str_equal(text, trim(item->value)));
    }
}

static void check_addresses(struct onward_header *h, const struct said *said,
                            int role, const char *field)
{
    size_t at = onward_header_first(h, onward_str_of(field)), n = 0;
    struct onward_address_list *list = NULL;

    if (at != ONWARD_HEADER_NONE) {
        FUZZ_CHECK(onward_address_list_parse(fuzz_ctx(),
                                             onward_header_value(h, at), NULL,
                                             &list) == 0);
        FUZZ_CHECK(onward_address_list_fault(list, NULL) == NULL);
    }
    for (const struct item *item = said->items;
         item < said->items + said->count; item++) {
        struct onward_mailbox *a = NULL;
        struct onward_text *name = NULL;

        if (item->kind != ADDRESS || item->role != role)
            continue;
        FUZZ_CHECK(list != NULL);
        FUZZ_CHECK(n < onward_address_list_count(list));
        FUZZ_CHECK(onward_words_decode(
                       fuzz_ctx(), onward_address_list_display_name(list, n),
                       ONWARD_WORDS_NAME, NULL, &name) == 0);
        FUZZ_CHECK(onward_str_equal(onward_text_str(name), trim(item->name)));
        onward_text_free(name);
        FUZZ_CHECK(onward_mailbox_parse(fuzz_ctx(), item->value,
                                        ONWARD_MAILBOX_ALLOW_UTF8, &a) == 0);
        FUZZ_CHECK(onward_mailbox_equal(
                       a, onward_address_list_mailbox(list, n++), 0) == 1);
        onward_mailbox_free(a);
    }
    FUZZ_CHECK(n == (list == NULL ? 0 : onward_address_list_count(list)));
    onward_address_list_free(list);
}

/* Text as it was said, with CRLF at all line ends. */
static void check_text(struct onward_str got, struct onward_str said)
{
    size_t at = 0;

    for (size_t i = 0; i < said.len; i++) {
        bool is_end = said.data[i] == '\r' || said.data[i] == '\n';

        if (!is_end) {
            FUZZ_CHECK(at < got.len && got.data[at++] == said.data[i]);
            if (i + 1 < said.len)
                continue;
        }
        if (is_end && said.data[i] == '\r' && i + 1 < said.len &&
            said.data[i + 1] == '\n')
            i++;
        FUZZ_CHECK(at + 2 <= got.len && got.data[at] == '\r' &&
                   got.data[at + 1] == '\n');
        at += 2;
    }
    FUZZ_CHECK(at == got.len);
}

static bool is_part(struct onward_mime_tree *tree, size_t i,
                    const struct item *item)
{
    struct onward_mime_part part = {.size = sizeof(part)};
    struct onward_str body;

    FUZZ_CHECK(onward_mime_tree_part(tree, i, &part) == 0);
    FUZZ_CHECK(onward_mime_tree_body(tree, i, &body) == 0);
    return onward_str_equal(part.name, item->name) &&
           onward_str_equal(body, item->value) &&
           onward_str_equal(part.content_id, item->id) &&
           onward_str_equal(part.disposition,
                            onward_str_of(item->place == 0 ? "attachment"
                                          : item->place == 1 ||
                                                  item->name.len > 0
                                              ? "inline"
                                              : ""));
}

static bool is_text(struct onward_mime_tree *tree, size_t i,
                    struct onward_str subtype)
{
    struct onward_mime_part part = {.size = sizeof(part)};

    FUZZ_CHECK(onward_mime_tree_part(tree, i, &part) == 0);
    return part.kind == ONWARD_MIME_LEAF &&
           onward_str_equal(part.subtype, subtype);
}

static void check_bodies(struct onward_mime_tree *tree,
                         const struct said *said)
{
    size_t count = onward_mime_tree_count(tree);

    for (const struct item *item = said->items;
         item < said->items + said->count; item++) {
        struct onward_str body;
        size_t i = 0;

        if (item->kind == PART) {
            while (i < count && !is_part(tree, i, item))
                i++;
        } else if (item->kind == TEXT || item->kind == HTML) {
            while (i < count && !is_text(tree, i,
                                         onward_str_of(item->kind == TEXT
                                                           ? "plain"
                                                           : "html")))
                i++;
            FUZZ_CHECK(i < count);
            FUZZ_CHECK(onward_mime_tree_body(tree, i, &body) == 0);
            check_text(body, item->value);
        }
        FUZZ_CHECK(i < count);
    }
}

static void check(struct onward_str message, const struct said *said)
{
    static const char *const fields[] = {"From", "Sender", "Reply-To", "To",
                                         "Cc", "Bcc"};
    const struct onward_mime_opts opts = {.size = sizeof(opts),
                                          .flags = ONWARD_MIME_FLAT_MESSAGES};
    struct onward_mime_tree *tree = NULL;
    struct onward_header *h = NULL;

    FUZZ_CHECK(onward_mime_tree_new(fuzz_ctx(), message, &opts, &tree) == 0);
    /* Names with invisible characters, and the fallback, are told as odd. */
    for (size_t i = 0; i < onward_mime_tree_anomaly_count(tree); i++) {
        struct onward_mime_anomaly a = {.size = sizeof(a)};

        FUZZ_CHECK(onward_mime_tree_anomaly_at(tree, i, &a) == 0);
        FUZZ_CHECK(a.code == ONWARD_MIME_ODD_PARAMETERS);
    }
    FUZZ_CHECK(onward_mime_tree_header(tree, 0, &h) == 0);
    for (int role = 1; role < ONWARD_BUILDER_BCC; role++)
        check_addresses(h, said, role, fields[role - 1]);
    FUZZ_CHECK(onward_header_count_named(h, ONWARD_STR("Bcc")) == 0);
    for (const struct item *item = said->items;
         item < said->items + said->count; item++) {
        if (item->kind == FIELD)
            check_field(h, said, item);
        else if (item->kind == SUBJECT)
            check_words(h, onward_header_first(h, ONWARD_STR("Subject")),
                        ONWARD_WORDS_UNSTRUCTURED, item->value);
    }
    check_bodies(tree, said);
    onward_mime_tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct said *said = calloc(1, sizeof(*said));
    struct onward_builder *b = NULL;
    const struct onward_source *source = NULL;
    unsigned flags = octet(&in);
    size_t step = octet(&in) + 1;

    FUZZ_CHECK(said != NULL);
    said->opts = (struct onward_builder_opts){
        .size = sizeof(said->opts),
        .allow_8bit = flags & 1,
        .allow_utf8 = flags >> 1 & 1,
        .allow_name_fallback = flags >> 2 & 1,
        .id_domain = ONWARD_STR("example.com")};
    FUZZ_CHECK(onward_builder_new(fuzz_ctx(), &said->opts, &b) == 0);
    say_all(b, &in, said);
    if (onward_builder_source(b, &source) == 0) {
        struct onward_str once = read_all(source, step);
        struct onward_str again = read_all(source, 65536);
        uint64_t needs = onward_builder_needs(b);

        FUZZ_CHECK(onward_str_equal(once, again));
        FUZZ_CHECK(said->opts.allow_utf8 != 0 ||
                   (needs & ONWARD_BUILDER_NEEDS_SMTPUTF8) == 0);
        check_lines(once, needs != 0);
        check(once, said);
        free((char *)(uintptr_t)once.data);
        free((char *)(uintptr_t)again.data);
    }
    onward_builder_free(b);
    forget(said);
    free(said);
    return 0;
}
