/*
 * The words that are registered for Authentication-Results (RFC 8601 section 6
 * and those that came before and after it): methods, their results, and what
 * they say of a message.
 */
#include "authres/authres_shared.h"

#define SAME_AS_DKIM "none pass fail policy neutral temperror permerror"
#define PLAIN "none pass fail temperror permerror"

static const struct method {
    const char *name, *results, *properties;
    const char *old_results; /* deprecated */
    bool is_old;
} methods[] = {
    /* RFC 8601; header.b RFC 6008. */
    {"auth", PLAIN, "smtp.auth smtp.mailfrom", "", false},
    {"dkim", SAME_AS_DKIM, "header.a header.b header.d header.i header.s", "",
     false},
    {"spf", "none pass fail softfail policy neutral temperror permerror",
     "smtp.mailfrom smtp.helo", "hardfail", false},
    {"iprev", "pass fail temperror permerror", "policy.iprev", "", false},
    /* RFC 9989. */
    {"dmarc", PLAIN, "header.from policy.dmarc", "", false},
    /* RFC 8617 section 10. */
    {"arc", "none pass fail", "smtp.remote-ip header.oldest-pass", "", false},
    /* RFC 8904. */
    {"dnswl", "none pass temperror permerror",
     "dns.zone dns.sec policy.ip policy.txt", "", false},
    /* RFC 7293. */
    {"rrvs", "none unknown pass fail temperror permerror", "smtp.rcptto", "",
     false},
    /* RFC 7281. */
    {"smime", SAME_AS_DKIM,
     "body.smime-part body.smime-identifier body.smime-serial "
     "body.smime-issuer",
     "", false},
    /* RFC 6541. */
    {"dkim-atps", PLAIN, "header.from", "", false},
    /* RFC 6212. */
    {"vbr", PLAIN, "header.md header.mv", "", false},
    /* Their protocols are historic. */
    {"domainkeys", SAME_AS_DKIM, "header.d header.from header.sender", "",
     true},
    {"sender-id", "none pass fail softfail policy neutral temperror permerror",
     "header.*", "hardfail", true},
    {"dkim-adsp", "none pass unknown fail discard nxdomain temperror permerror",
     "header.from", "", true},
};

static const struct method *find(struct onward_str name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (onward_core__str_ieq(onward_str_of(methods[i].name), name))
            return &methods[i];
    }
    return NULL;
}

/* Is it one of these words, with spaces between? */
static bool has(const char *words, struct onward_str word)
{
    struct onward_str rest = onward_str_of(words);

    while (rest.len != 0 && word.len != 0) {
        size_t end = onward_core__str_find(rest, ' ');

        if (onward_core__str_ieq(onward_core__sub(rest, 0, end), word))
            return true;
        rest = onward_core__sub(rest, end + 1, rest.len);
    }
    return false;
}

static int standing(const struct method *m, bool is_word, bool is_old_word)
{
    if (is_old_word || (is_word && m->is_old))
        return ONWARD_AUTHRES_DEPRECATED;
    return is_word ? ONWARD_AUTHRES_ACTIVE : ONWARD_AUTHRES_UNKNOWN;
}

int onward_authres_known_method(struct onward_str method)
{
    const struct method *m = find(method);

    return m == NULL ? ONWARD_AUTHRES_UNKNOWN : standing(m, true, false);
}

int onward_authres_known_result(struct onward_str method,
                                struct onward_str result)
{
    const struct method *m = find(method);

    if (m == NULL)
        return ONWARD_AUTHRES_UNKNOWN;
    return standing(m, has(m->results, result), has(m->old_results, result));
}

int onward_authres_known_property(struct onward_str method,
                                  struct onward_str ptype,
                                  struct onward_str property)
{
    const struct method *m = find(method);
    char text[64], any[64];
    size_t len = ptype.len + 1 + property.len;

    if (m == NULL || ptype.len == 0 || property.len == 0 ||
        len > sizeof(text) || ptype.len > sizeof(any) - 2)
        return ONWARD_AUTHRES_UNKNOWN;
    memcpy(text, ptype.data, ptype.len);
    text[ptype.len] = '.';
    memcpy(text + ptype.len + 1, property.data, property.len);
    memcpy(any, text, ptype.len + 1);
    any[ptype.len + 1] = '*';
    return standing(
        m,
        has(m->properties, onward_core__str(text, len)) ||
            has(m->properties, onward_core__str(any, ptype.len + 2)),
        false);
}
