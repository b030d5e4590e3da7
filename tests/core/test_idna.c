/*
 * Names with U-labels against each line of the Unicode test file for UTS #46
 * (toASCII, non-transitional), where it is at hand. We are stricter where
 * IDNA2008 is (RFC 5891), and looser where DNS is: both by name, in a table.
 */
#include "support/support.h"

#include "core/domain_shared.h"

enum { COLUMNS = 7, TEXT_MAX = 2048 };

struct line {
    char source[TEXT_MAX];
    char unicode[TEXT_MAX];
    char ascii[TEXT_MAX];
    char status[128]; /* "B1, V5"; empty: no error */
};

static size_t put_utf8(char *out, unsigned long code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* A column without its blanks, \uXXXX and \x{X...} as UTF-8. */
static void unescape(const char *in, size_t len, char *out)
{
    size_t used = 0;

    while (len > 0 && (*in == ' ' || *in == '\t')) {
        in++;
        len--;
    }
    while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == '\t'))
        len--;
    assert_true(len + 8 < TEXT_MAX);
    for (size_t i = 0; i < len;) {
        char *end;

        if (in[i] == '\\' && in[i + 1] == 'u') {
            char digits[5] = {in[i + 2], in[i + 3], in[i + 4], in[i + 5], 0};

            used += put_utf8(out + used, strtoul(digits, NULL, 16));
            i += 6;
        } else if (in[i] == '\\' && in[i + 1] == 'x') {
            used += put_utf8(out + used, strtoul(in + i + 3, &end, 16));
            i = (size_t)(end - in) + 1;
        } else {
            out[used++] = in[i++];
        }
    }
    out[used] = '\0';
}

/* "[B1, V5]" without the brackets; "[]" is no error. */
static void take_status(const char *column, const char *inherited, char *out)
{
    size_t len = strlen(column);

    if (len == 0)
        snprintf(out, 128, "%s", inherited);
    else
        snprintf(out, 128, "%.*s", (int)len - 2, column + 1);
}

/* false: no test on this line. */
static bool read_line(const char *text, size_t len, struct line *l)
{
    static char columns[COLUMNS][TEXT_MAX];
    char unicode_status[128];
    size_t count = 0;

    for (size_t i = 0; i < len && count < COLUMNS;) {
        size_t end = i;

        while (end < len && text[end] != ';' && text[end] != '#')
            end++;
        unescape(text + i, end - i, columns[count++]);
        if (end == len || text[end] == '#')
            break;
        i = end + 1;
    }
    if (count != COLUMNS)
        return false;
    snprintf(l->source, TEXT_MAX, "%s", columns[0]);
    snprintf(l->unicode, TEXT_MAX, "%s",
             columns[1][0] == '\0' ? l->source : columns[1]);
    snprintf(l->ascii, TEXT_MAX, "%s",
             columns[3][0] == '\0' ? l->unicode : columns[3]);
    take_status(columns[2], "", unicode_status);
    take_status(columns[4], unicode_status, l->status);
    return true;
}

/*
 * Where we differ, the reason, and how many lines there are of each. Names are
 * what toASCII gives, without a final dot (which we take off).
 */
enum reason { STRICT, LABEL_BIDI, DNS_NAME, REASONS };

static const struct difference {
    enum reason reason;
    const char *ascii;
} differences[] = {
    /* A label meets the Bidi rule if it holds right-to-left letters (RFC 5891
     * section 5.4). The names beside it are not asked: "_dmarc" and "2024" have
     * to be good beside any of them. */
    {LABEL_BIDI, "0a.xn--4db"},
    {LABEL_BIDI, "xn--0-sfa.xn--4db"},
    {LABEL_BIDI, "c.xn--0-eha.xn--4db"},
    {LABEL_BIDI, "1.xn--6-945e.xn--glb1794k"},
    {LABEL_BIDI, "xn--pkb6f.xn--7-x93e"},
    {LABEL_BIDI, "xn--0ca88g.xn--4db"},
    /* Good names of the DNS, if not of hosts. */
    {DNS_NAME, "a.b-.c"},
    {DNS_NAME, "a.-.c"},
    {DNS_NAME, "a.-b"},
    {DNS_NAME, "-"},
    {DNS_NAME, "a.bc--de.f"},
};

/* Signs and letters of old that RFC 5892 section 2 (and 6452) makes DISALLOWED
 * and UTS #46 valid: a name with one is refused. */
static const char *const disallowed[] = {
    "\xc2\xa1",         /* 00A1 */
    "\xe1\xa7\x9a",     /* 19DA */
    "\xe2\x8a\xb6",     /* 22B6 */
    "\xe2\x98\x95",     /* 2615 */
    "\xe2\x9b\xa7",     /* 26E7 */
    "\xe2\xaf\xae",     /* 2BEE */
    "\xe2\xb8\x96",     /* 2E16 */
    "\xed\x9f\xb6",     /* D7F6 */
    "\xf0\x90\x8b\xb3", /* 102F3 */
    "\xf0\x90\x8b\xb5", /* 102F5 */
    "\xf0\x90\x8b\xb7", /* 102F7 */
    "\xf0\x90\x8b\xb8", /* 102F8 */
    "\xf0\x90\xa9\x92", /* 10A52 */
    "\xf0\x90\xa9\x97", /* 10A57 */
    "\xf0\x90\xb9\xa0", /* 10E60 */
    "\xf0\x9d\x88\xbb", /* 1D23B */
    "\xf0\x9d\x8c\xa0", /* 1D320 */
    "\xf0\x9f\x9e\x9b", /* 1F79B */
};

static const size_t want_counts[REASONS] = {
    [STRICT] = 56, [LABEL_BIDI] = 27, [DNS_NAME] = 5};

static bool holds_disallowed(const char *unicode)
{
    for (size_t i = 0; i < sizeof(disallowed) / sizeof(disallowed[0]); i++) {
        if (strstr(unicode, disallowed[i]) != NULL)
            return true;
    }
    return false;
}

/* As the file has it, or different for a reason: false when it is neither. */
static bool check_line(struct line *l, int ret, struct onward_str got,
                       size_t *counts)
{
    size_t len = strlen(l->ascii);
    bool is_same;

    if (len > 1 && l->ascii[len - 1] == '.')
        l->ascii[len - 1] = '\0';
    is_same = ret == 0 && onward_core__str_eq(got, onward_str_of(l->ascii));
    if (l->status[0] == '\0' && ret == ONWARD_ESYNTAX) {
        counts[STRICT]++;
        return holds_disallowed(l->unicode);
    }
    if (l->status[0] == '\0' || ret == ONWARD_ESYNTAX)
        return is_same || l->status[0] != '\0';
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        if (strcmp(differences[i].ascii, l->ascii) == 0) {
            counts[differences[i].reason]++;
            return is_same;
        }
    }
    return false;
}

static void test_each_line(void **state)
{
    const char *path = t_conformance("idna/IdnaTestV2.txt");
    size_t counts[REASONS] = {0}, len = 0, cases = 0, wrong = 0, end;
    static struct line l;
    struct onward_arena arena;
    struct t_world w;
    char *text;

    (void)state;
    if (path == NULL)
        skip();
    text = t_read_file(path, &len);
    t_world_init(&w);
    for (size_t at = 0; at < len; at = end + 1) {
        struct onward_str got = {0};
        int ret;

        end = at + strcspn(text + at, "\n");
        if (!read_line(text + at, end - at, &l))
            continue;
        cases++;
        onward_core__arena_init(&arena, w.ctx, 100000);
        ret =
            onward_core__domain_to_ascii(&arena, onward_str_of(l.source), &got);
        if (!check_line(&l, ret, got, counts)) {
            print_message("%d \"%.*s\": %.*s\n", ret, (int)got.len, got.data,
                          (int)(end - at), text + at);
            wrong++;
        }
        onward_core__arena_clear(&arena);
    }
    free(text);
    t_world_clear(&w);
    assert_int_equal(cases, 6235);
    assert_int_equal(wrong, 0);
    assert_memory_equal(counts, want_counts, sizeof(counts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
