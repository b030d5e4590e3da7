#include "results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "style.h"

void results_spf_members(struct json *j, const struct onward_spf_check *check)
{
    int reason = onward_spf_check_reason(check);

    json_text(j, "result",
              onward_spf_result_name(onward_spf_check_result(check)));
    json_text_or_null(j, "reason", onward_spf_reason_name(reason));
    json_str_or_null(j, "explanation", onward_spf_check_explanation(check));
    json_str_or_null(j, "mechanism", onward_spf_check_mechanism(check));
    json_number(j, "lookups", onward_spf_check_lookups(check));
    json_number(j, "void_lookups", onward_spf_check_void_lookups(check));
}

void results_spf(struct json *j, const char *key,
                 const struct onward_spf_check *check)
{
    json_open(j, key, '{');
    results_spf_members(j, check);
    json_close(j, '}');
}

static void both_spf(struct json *j, const struct onward_verifier *verifier)
{
    static const struct row {
        const char *key;
        int identity;
    } rows[] = {{"mailfrom", ONWARD_SPF_MAIL_FROM}, {"helo", ONWARD_SPF_HELO}};

    if (onward_verifier_spf(verifier, ONWARD_SPF_MAIL_FROM) == NULL &&
        onward_verifier_spf(verifier, ONWARD_SPF_HELO) == NULL) {
        json_null(j, "spf");
        return;
    }
    json_open(j, "spf", '{');
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct onward_spf_check *check =
            onward_verifier_spf(verifier, rows[i].identity);

        if (check != NULL)
            results_spf(j, rows[i].key, check);
        else
            json_null(j, rows[i].key);
    }
    json_close(j, '}');
}

static void signature(struct json *j, const struct onward_dkim_signature *s)
{
    json_open(j, NULL, '{');
    json_text(j, "result", onward_dkim_result_name((int)s->result));
    json_str_or_null(j, "d", s->domain);
    json_str_or_null(j, "s", s->selector);
    json_str_or_null(j, "i", s->identity);
    json_str_or_null(j, "a", s->algorithm_text);
    json_text_or_null(j, "reason", onward_dkim_reason_name((int)s->reason));
    json_close(j, '}');
}

static void dkim(struct json *j, const struct onward_verifier *verifier)
{
    size_t count = onward_verifier_dkim_count(verifier);

    json_open(j, "dkim", '[');
    for (size_t i = 0; i < count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(verifier, i, &s) == 0)
            signature(j, &s);
    }
    json_close(j, ']');
}

static void arc(struct json *j, const struct onward_verifier *verifier)
{
    struct onward_arc_verdict a = {.size = sizeof(a)};

    onward_verifier_arc(verifier, &a);
    json_open(j, "arc", '{');
    json_text(j, "result", onward_arc_result_name((int)a.result));
    json_number(j, "instances", a.instances);
    json_text_or_null(j, "reason", onward_arc_reason_name((int)a.reason));
    json_close(j, '}');
}

static void dmarc(struct json *j, const struct onward_verifier *v)
{
    const struct onward_dmarc_check *check = onward_verifier_dmarc(v);
    int policy = ONWARD_DMARC_POLICY_UNKNOWN;
    struct onward_str domain = {0};

    if (check != NULL) {
        policy = onward_dmarc_check_policy(check);
        domain = onward_dmarc_check_policy_domain(check);
    }
    json_open(j, "dmarc", '{');
    json_text(j, "result",
              onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    json_text_or_null(j, "policy", onward_dmarc_policy_name(policy));
    json_text(j, "disposition",
              onward_dmarc_policy_name(onward_verifier_dmarc_disposition(v)));
    json_str_or_null(j, "author_domain", onward_verifier_author_domain(v));
    json_str_or_null(j, "policy_domain", domain);
    json_text_or_null(
        j, "reason", onward_dmarc_reason_name(onward_verifier_dmarc_reason(v)));
    json_close(j, '}');
}

/* On one line: a search in it must not stumble over folds (RFC 5322 2.2.3). */
static void authres(struct json *j, const struct onward_verifier *verifier)
{
    struct onward_str folded = onward_verifier_authres(verifier);
    char *line = malloc(folded.len + 1);
    size_t len = 0;

    if (line == NULL) {
        json_null(j, "authres");
        return;
    }
    for (size_t i = 0; i < folded.len; i++) {
        if (folded.data[i] != '\r' && folded.data[i] != '\n')
            line[len++] = folded.data[i];
    }
    json_str(j, "authres", (struct onward_str){line, len});
    free(line);
}

void results_message(struct json *j, const struct onward_verifier *verifier)
{
    both_spf(j, verifier);
    dkim(j, verifier);
    arc(j, verifier);
    dmarc(j, verifier);
    authres(j, verifier);
}

void results_date(int64_t seconds, char *text, size_t room)
{
    time_t t = (time_t)seconds;
    const struct tm *tm = gmtime(&t);

    if (tm == NULL || strftime(text, room, "%Y-%m-%dT%H:%M:%SZ", tm) == 0)
        snprintf(text, room, "%" PRId64, seconds);
}

void results_json_oddities(struct json *j, size_t bits,
                           const char *(*name)(int bit))
{
    json_open(j, "oddities", '[');
    for (int bit = 1; name(bit)[0] != '\0'; bit <<= 1) {
        if (bits & (size_t)bit)
            json_text(j, NULL, name(bit));
    }
    json_close(j, ']');
}

void results_oddities(size_t bits, const char *(*name)(int bit))
{
    const char *before = "    not as the standard has it: ";

    for (int bit = 1; name(bit)[0] != '\0'; bit <<= 1) {
        if (bits & (size_t)bit) {
            printf("%s%s", before, name(bit));
            before = ", ";
        }
    }
    if (bits != 0)
        putchar('\n');
}

/* How long the word of a result is that stands at "METHOD=RESULT"; 0: none. */
static size_t result_at(const char *text, size_t len, size_t *method)
{
    static const char *const methods[] = {
        "spf=", "dkim=", "dmarc=", "arc=", "iprev="};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        size_t end = *method = strlen(methods[i]);

        if (len < end || memcmp(text, methods[i], end) != 0)
            continue;
        while (end < len && text[end] >= 'a' && text[end] <= 'z')
            end++;
        return end - *method;
    }
    return 0;
}

void results_authres(struct onward_str value)
{
    bool is_start = false; /* of a word */
    char word[16];

    for (size_t i = 0; i < value.len; i++) {
        size_t method, len = 0;

        if (is_start)
            len = result_at(value.data + i, value.len - i, &method);
        is_start = value.data[i] == ' ';
        if (len > 0 && len < sizeof(word)) {
            printf("%.*s", (int)method, value.data + i);
            memcpy(word, value.data + i + method, len);
            word[len] = '\0';
            style_verdict(word);
            i += method + len - 1;
        } else if (value.data[i] != '\r') {
            putchar(value.data[i]);
        }
    }
}

/* What a terminal obeys is not shown: C0, DEL, and C1, two octets in UTF-8. */
void results_put(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char next =
            i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

        putchar(c < 0x20 || c == 0x7f || is_c1 ? '?' : c);
        i += is_c1;
    }
}

void results_part(const char *before, struct onward_str text)
{
    if (text.len == 0)
        return;
    printf("%s", before);
    results_put(text);
}

void results_line(const char *name, struct onward_str value)
{
    if (value.len == 0)
        return;
    printf("%s: ", name);
    results_put(value);
    putchar('\n');
}
