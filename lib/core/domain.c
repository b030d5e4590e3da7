/*
 * Domain names as text. Unicode is left to libidn2; what it may look at is
 * bounded here first, and A-labels are taken only if they stand for themselves.
 */
#include "core/domain_shared.h"

#include <idn2.h>
#include <unictype.h>
#include <unistr.h>

#include "core/text_shared.h"

enum {
    /* No label that fits in 63 octets as an A-label is longer in UTF-8. */
    U_LABEL_MAX = 4 * ONWARD_LABEL_MAX,
    U_NAME_MAX = 1024
};

static bool is_label_octet(unsigned char c, bool allow_underscore)
{
    return onward_ascii_is_alnum(c) || c == '-' ||
           (c == '_' && allow_underscore);
}

/* Labels of 1 to 63 good octets, 253 in all; their number, 0 when not. */
static size_t count_good_labels(struct onward_str s, bool is_host)
{
    size_t labels = 0, start = 0;

    if (s.len == 0 || s.len > ONWARD_DOMAIN_MAX)
        return 0;
    for (size_t at = 0; at <= s.len; at++) {
        if (at < s.len && s.data[at] != '.') {
            if (!is_label_octet((unsigned char)s.data[at], !is_host))
                return 0;
            continue;
        }
        if (at == start || at - start > ONWARD_LABEL_MAX)
            return 0;
        if (is_host && (s.data[start] == '-' || s.data[at - 1] == '-'))
            return 0;
        labels++;
        start = at + 1;
    }
    return labels;
}

bool onward_core__domain_is_dns_name(struct onward_str s, size_t min_labels)
{
    size_t labels = count_good_labels(s, false);

    return labels != 0 && labels >= min_labels;
}

bool onward_core__domain_is_hostname(struct onward_str s)
{
    return count_good_labels(s, true) != 0;
}

static bool is_a_label(struct onward_str label)
{
    return onward_core__str_istarts(label, ONWARD_STR("xn--"));
}

/* The label that starts at *at; moves *at behind its dot. */
static struct onward_str next_label(struct onward_str name, size_t *at)
{
    struct onward_str rest = onward_core__sub(name, *at, name.len);
    struct onward_str label =
        onward_core__sub(rest, 0, onward_core__str_find(rest, '.'));

    *at += label.len + 1;
    return label;
}

static bool has_a_label(struct onward_str name)
{
    for (size_t at = 0; at < name.len;) {
        if (is_a_label(next_label(name, &at)))
            return true;
    }
    return false;
}

/* Short enough to be handed to Punycode, which takes more than linear time. */
static bool is_bounded(struct onward_str name)
{
    if (name.len == 0 || name.len >= U_NAME_MAX)
        return false;
    for (size_t at = 0; at < name.len;) {
        struct onward_str label = next_label(name, &at);

        if (label.len >
            (onward_core__is_ascii(label) ? ONWARD_LABEL_MAX : U_LABEL_MAX))
            return false;
    }
    return true;
}

static int idn_error(int rc)
{
    if (rc == IDN2_OK)
        return 0;
    return rc == IDN2_MALLOC ? ONWARD_ENOMEM : ONWARD_ESYNTAX;
}

/* text ends in NUL; *ascii is freed with idn2_free(). */
static int lookup(const char *text, uint8_t **ascii)
{
    return idn_error(idn2_lookup_u8((const uint8_t *)text, ascii,
                                    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL));
}

/*
 * What libidn2 lets pass in a decoded name: signs that are ASCII with a stroke
 * on it (disallowed by RFC 5892 section 2.6 and by STD 3), and both kinds of
 * digits in one right-to-left label (RFC 5893 section 2, condition 4).
 */
static bool is_sound_unicode(struct onward_str name)
{
    bool has_right = false, has_european = false, has_arabic = false;

    for (size_t at = 0; at < name.len;) {
        ucs4_t code;
        int len =
            u8_mbtoucr(&code, (const uint8_t *)name.data + at, name.len - at);
        int bidi = len > 0 ? uc_bidi_class(code) : UC_BIDI_B;

        if (len <= 0 || code == 0x2260 || code == 0x226e || code == 0x226f)
            return false;
        at += (size_t)len;
        if (code == '.') {
            has_right = has_european = has_arabic = false;
            continue;
        }
        has_right = has_right || bidi == UC_BIDI_R || bidi == UC_BIDI_AL;
        has_european = has_european || bidi == UC_BIDI_EN;
        has_arabic = has_arabic || bidi == UC_BIDI_AN;
        if (has_right && has_european && has_arabic)
            return false;
    }
    return true;
}

/*
 * Each A-label must decode to something that is not ASCII and encodes back to
 * it: else it is another spelling of a name, or of none. ascii is lower case
 * and ends in NUL.
 */
static int check_a_labels(const char *ascii)
{
    char *unicode = NULL;
    uint8_t *again = NULL;
    struct onward_str name = onward_str_of(ascii), decoded;
    size_t at = 0, decoded_at = 0;
    int ret = idn_error(idn2_to_unicode_8z8z(ascii, &unicode, 0));

    if (ret != 0)
        return ret;
    decoded = onward_str_of(unicode);
    while (ret == 0 && at < name.len) {
        struct onward_str label = next_label(name, &at);

        if (onward_core__is_ascii(next_label(decoded, &decoded_at)) &&
            is_a_label(label))
            ret = ONWARD_ESYNTAX;
    }
    if (ret == 0 && !is_sound_unicode(decoded))
        ret = ONWARD_ESYNTAX;
    if (ret == 0)
        ret = lookup(unicode, &again);
    if (ret == 0 && strcmp((const char *)again, ascii) != 0)
        ret = ONWARD_ESYNTAX;
    idn2_free(again);
    idn2_free(unicode);
    return ret;
}

static int store_lower(struct onward_arena *arena, struct onward_str name,
                       struct onward_str *ascii)
{
    char *copy;

    if (!onward_core__domain_is_dns_name(name, 1))
        return ONWARD_ESYNTAX;
    copy = onward_core__arena_alloc(arena, name.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < name.len; i++)
        copy[i] = (char)onward_ascii_lower((unsigned char)name.data[i]);
    *ascii = onward_core__str(copy, name.len);
    return 0;
}

/* Of a name that ended in one of the other full stops (RFC 3490). */
static void drop_final_dot(char *name)
{
    size_t len = strlen(name);

    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
}

static int idn_to_ascii(struct onward_arena *arena, struct onward_str name,
                        struct onward_str *ascii)
{
    char text[U_NAME_MAX];
    uint8_t *found = NULL;
    int ret;

    if (!is_bounded(name) || !onward_core__is_utf8(name) ||
        memchr(name.data, '\0', name.len) != NULL)
        return ONWARD_ESYNTAX;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    ret = lookup(text, &found);
    /* The result is looked at, not the name: mapping drops invisible
     * characters, so a label may come out as an A-label that did not go in as
     * one. */
    if (ret == 0)
        drop_final_dot((char *)found);
    if (ret == 0 && has_a_label(onward_str_of((const char *)found)))
        ret = check_a_labels((const char *)found);
    if (ret == 0)
        ret = store_lower(arena, onward_str_of((const char *)found), ascii);
    idn2_free(found);
    return ret;
}

int onward_core__domain_to_ascii(struct onward_arena *arena,
                                 struct onward_str name,
                                 struct onward_str *ascii)
{
    if (onward_core__is_ascii(name) && !has_a_label(name)) {
        if (name.len > 1 && name.data[name.len - 1] == '.')
            name.len--;
        return store_lower(arena, name, ascii);
    }
    return idn_to_ascii(arena, name, ascii);
}

int onward_core__domain_to_unicode(struct onward_arena *arena,
                                   struct onward_str ascii,
                                   struct onward_str *unicode)
{
    char text[ONWARD_DOMAIN_MAX + 1];
    char *found = NULL;
    int ret;

    if (ascii.len == 0 || !has_a_label(ascii)) {
        *unicode = ascii;
        return 0;
    }
    if (ascii.len > ONWARD_DOMAIN_MAX)
        return ONWARD_ESYNTAX;
    memcpy(text, ascii.data, ascii.len);
    text[ascii.len] = '\0';
    ret = idn_error(idn2_to_unicode_8z8z(text, &found, 0));
    if (ret == 0)
        ret = onward_core__arena_dup(arena, onward_str_of(found), unicode);
    idn2_free(found);
    return ret;
}

size_t onward_core__domain_label_count(struct onward_str s)
{
    size_t labels = s.len != 0;

    for (size_t i = 0; i < s.len; i++)
        labels += s.data[i] == '.';
    return labels;
}

struct onward_str onward_core__domain_last_labels(struct onward_str s, size_t n)
{
    size_t at = s.len;

    if (n == 0)
        return onward_core__sub(s, s.len, s.len);
    for (; at > 0; at--) {
        if (s.data[at - 1] == '.' && --n == 0)
            break;
    }
    return onward_core__sub(s, at, s.len);
}

struct onward_str onward_core__domain_parent(struct onward_str s)
{
    return onward_core__sub(s, onward_core__str_find(s, '.') + 1, s.len);
}

bool onward_core__domain_is_within(struct onward_str s,
                                   struct onward_str parent)
{
    if (parent.len == 0 || !onward_core__str_iends(s, parent))
        return false;
    return s.len == parent.len || s.data[s.len - parent.len - 1] == '.';
}
