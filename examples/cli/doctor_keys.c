/*
 * onward doctor, DKIM (RFC 6376): the keys that mail is signed and sealed with
 * are published, can be used, and are those that sign.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include <onward/dkim.h>
#include <onward/key.h>

#include "doctor.h"
#include "load.h"

enum { RECORD_MAX = 1000 };

/* The record of the private key, or empty: none is known. -1: d->err, or a
 * finding that says why. */
static int write_record(struct doctor *d, const struct doctor_key *k,
                        const char *name, char *record)
{
    const struct onward_dkim_record_opts opts = {.size = sizeof(opts)};
    struct load_fault fault;
    struct onward_key *key;
    int len;

    record[0] = '\0';
    if (k->file == NULL)
        return 0;
    key = load_key(d->world.ctx, k->file, &fault);
    if (key == NULL) {
        doctor_find(d, DOCTOR_ERROR, "dkim", "no-key", name, "%s", fault.text);
        doctor_fix(d, "Give the file of the private key: onward keygen makes "
                      "one.");
        return -1;
    }
    len = onward_dkim_record(onward_key_public(key), &opts, record, RECORD_MAX);
    onward_key_free(key);
    if (len >= 0)
        return 0;
    d->err = len;
    return -1;
}

/* p= of a record, without blanks; where it begins. */
static struct onward_str public_part(struct onward_str record)
{
    for (size_t i = 0; i + 2 <= record.len; i++) {
        if ((i == 0 || record.data[i - 1] == ';' ||
             record.data[i - 1] == ' ') &&
            record.data[i] == 'p' && record.data[i + 1] == '=') {
            size_t from = i + 2, to = from;

            while (to < record.len && record.data[to] != ';')
                to++;
            return (struct onward_str){record.data + from, to - from};
        }
    }
    return (struct onward_str){0};
}

static bool is_same_key(struct onward_str a, struct onward_str b)
{
    size_t i = 0, j = 0;

    a = public_part(a);
    b = public_part(b);
    for (;;) {
        while (i < a.len && strchr(" \t\r\n", a.data[i]) != NULL)
            i++;
        while (j < b.len && strchr(" \t\r\n", b.data[j]) != NULL)
            j++;
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len;
        if (a.data[i++] != b.data[j++])
            return false;
    }
}

/* False: the key cannot be used. */
static bool examine_record(struct doctor *d, const char *name,
                           struct onward_str text)
{
    struct onward_dkim_fault fault = {.size = sizeof(fault)};
    int err = onward_dkim_lint(d->world.ctx, text, &fault);

    if (err == ONWARD_ENOMEM) {
        d->err = err;
        return false;
    }
    if (err == 0)
        return true;
    if (err == ONWARD_ENOENT)
        doctor_find(d, DOCTOR_ERROR, "dkim", "no-record", name,
                    "\"%.*s\" is no DKIM key", (int)text.len, text.data);
    else
        doctor_find(d, fault.is_void != 0 ? DOCTOR_ERROR : DOCTOR_WARNING,
                    "dkim", fault.is_void != 0 ? "void" : "weak", name,
                    "octet %zu: %s", fault.offset, fault.text);
    doctor_fix(d, fault.is_void != 0 || err == ONWARD_ENOENT
                      ? "Publish a key that verifiers can use: onward keygen "
                        "makes one."
                      : "Change it when you publish the next key.");
    return err != ONWARD_ENOENT && fault.is_void == 0;
}

static void examine_answer(struct doctor *d, const struct doctor_key *k,
                           const char *name, const char *wanted,
                           const struct onward_dns_lookup *txt)
{
    size_t count = onward_dns_lookup_count(txt), before = d->count;
    struct onward_str text = onward_dns_lookup_data(txt, 0);

    if (count == 0) {
        doctor_find(d, DOCTOR_ERROR, "dkim", "none", name,
                    "no key there: what is signed with it counts as not "
                    "signed");
        if (wanted[0] == '\0')
            doctor_fix(d,
                       "Publish the record that onward keygen --domain %s "
                       "--selector %s prints with a new key.",
                       k->domain, k->selector);
        else
            doctor_fix(d, "Publish the key.");
    } else if (count > 1) {
        doctor_find(d, DOCTOR_ERROR, "dkim", "many-records", name,
                    "%zu records, and one may be: verifiers take any of them",
                    count);
        doctor_fix(d, "Delete all but the one of the key that signs.");
    } else if (examine_record(d, name, text)) {
        if (wanted[0] != '\0' && !is_same_key(text, onward_str_of(wanted))) {
            doctor_find(d, DOCTOR_ERROR, "dkim", "other-key", name,
                        "another key is published than %s: no signature "
                        "verifies",
                        k->file);
            doctor_fix(d, "Publish this one, or sign with the other.");
        } else if (d->count == before) {
            doctor_find(d, DOCTOR_OK, "dkim", "key", name, "%s",
                        wanted[0] != '\0' ? "the key that signs is published"
                                          : "a key that verifiers can use");
        }
    }
    if (wanted[0] != '\0' && d->count > before &&
        d->findings[d->count - 1].fix != NULL)
        doctor_txt(d, name, wanted);
}

static void examine_key(struct doctor *d, const struct doctor_key *k)
{
    char name[512], wanted[RECORD_MAX];
    struct onward_dns_lookup *txt;

    snprintf(name, sizeof(name), "%s._domainkey.%s", k->selector, k->domain);
    if (write_record(d, k, name, wanted) != 0 ||
        !doctor_ask_txt(d, "dkim", name, &txt))
        return;
    examine_answer(d, k, name, wanted, txt);
    onward_dns_lookup_free(txt);
}

void doctor_examine_dkim(struct doctor *d)
{
    for (size_t i = 0; i < d->key_count; i++)
        examine_key(d, &d->keys[i]);
    if (d->key_count == 0 && !d->is_null_mx) {
        doctor_find(d, DOCTOR_NOTE, "dkim", "not-looked", d->domain,
                    "DNS does not list selectors: none was looked at");
        doctor_fix(d, "Name those that sign for it with --selector: they "
                      "stand as s= in the DKIM-Signature of its mail.");
    }
}
