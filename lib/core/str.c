/* Borrowed octets: comparison, searching, trimming; and secrets. */
#include "core/core_shared.h"

struct onward_str onward_str_of(const char *text)
{
    return onward_core__str(text, text == NULL ? 0 : strlen(text));
}

int onward_str_equal(struct onward_str a, struct onward_str b)
{
    return onward_core__str_eq(a, b);
}

static bool equal_lower(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (onward_ascii_lower((unsigned char)a[i]) !=
            onward_ascii_lower((unsigned char)b[i]))
            return false;
    }
    return true;
}

bool onward_core__str_ieq(struct onward_str a, struct onward_str b)
{
    return a.len == b.len && equal_lower(a.data, b.data, a.len);
}

bool onward_core__str_starts(struct onward_str s, struct onward_str prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

bool onward_core__str_istarts(struct onward_str s, struct onward_str prefix)
{
    return s.len >= prefix.len && equal_lower(s.data, prefix.data, prefix.len);
}

bool onward_core__str_iends(struct onward_str s, struct onward_str suffix)
{
    if (s.len < suffix.len)
        return false;
    return suffix.len == 0 ||
           equal_lower(s.data + (s.len - suffix.len), suffix.data, suffix.len);
}

struct onward_str onward_core__str_trim(struct onward_str s)
{
    while (s.len != 0 && onward_ascii_is_wsp((unsigned char)s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len != 0 && onward_ascii_is_wsp((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct onward_str onward_core__str_trim_crlf(struct onward_str s)
{
    while (s.len != 0 && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len != 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

size_t onward_core__str_find(struct onward_str s, unsigned char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.data, c, s.len);

    return at == NULL ? s.len : (size_t)(at - s.data);
}

size_t onward_core__str_rfind(struct onward_str s, unsigned char c)
{
    for (size_t i = s.len; i > 0; i--) {
        if ((unsigned char)s.data[i - 1] == c)
            return i - 1;
    }
    return s.len;
}

int onward_core__str_cmp(struct onward_str a, struct onward_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool onward_core__equal_secret(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned char differ = 0;

    for (size_t i = 0; i < len; i++)
        differ = (unsigned char)(differ | (x[i] ^ y[i]));
    return differ == 0;
}

#ifdef ONWARD_KEEP_STORES
void onward_core__wipe(void *data, size_t len)
{
    if (len == 0)
        return;
    memset(data, 0, len);
    ONWARD_KEEP_STORES(data);
}
#else
void onward_core__wipe(void *data, size_t len)
{
    volatile unsigned char *octets = data;

    while (len > 0)
        octets[--len] = 0;
}
#endif
