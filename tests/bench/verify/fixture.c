/*
 * Makes what both sides read, in a folder: a key, DNS records, and messages of
 * three sizes, signed by DKIM (signed-*) and sealed by one hop (sealed-*).
 * Content is made of a fixed sequence; only the key is new each time.
 */
#include <onward/arc.h>
#include <onward/dkim.h>

#include "bench/host.h"
#include "bench/worker.h"

static struct bench_host host;
static const char *folder;

static FILE *create(const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL)
        bench_die(path);
    return file;
}

static void save(const char *name, const char *data, size_t len)
{
    FILE *file = create(name);

    if (fwrite(data, 1, len, file) != len || fclose(file) != 0)
        bench_die(name);
}

/* ---- Keys and records -------------------------------------------------- */

static int64_t no_time(void *user)
{
    (void)user;
    return 0;
}

static int entropy(void *user, void *data, size_t len)
{
    FILE *file = fopen("/dev/urandom", "rb");
    size_t got = file == NULL ? 0 : fread(data, 1, len, file);

    (void)user;
    if (file != NULL)
        fclose(file);
    return got == len ? 0 : -1;
}

/* A TXT record in strings of at most 200 octets. */
static void add_txt(FILE *zone, const char *name, const char *text)
{
    fprintf(zone, "%s 3600 IN TXT", name);
    for (size_t at = 0, len = strlen(text); at < len; at += 200)
        fprintf(zone, " \"%.200s\"", text + at);
    fprintf(zone, "\n");
}

/* Four includes and 21 ip4 and ip6 terms; the client is in the last. */
static void add_spf(FILE *zone)
{
    add_txt(zone, "a.example",
            "v=spf1 ip4:203.0.113.1 include:_one.spf.example "
            "include:_two.spf.example include:_three.spf.example "
            "include:_four.spf.example ~all");
    add_txt(zone, "_one.spf.example",
            "v=spf1 ip4:198.51.100.0/28 ip4:198.51.100.16/28 "
            "ip4:198.51.100.32/28 ip4:198.51.100.48/28 ip4:198.51.100.64/28 "
            "~all");
    add_txt(zone, "_two.spf.example",
            "v=spf1 ip4:198.51.100.80/28 ip4:198.51.100.96/28 "
            "ip6:2001:db8:1::/48 ip6:2001:db8:2::/48 ip6:2001:db8:3::/48 ~all");
    add_txt(zone, "_three.spf.example",
            "v=spf1 ip4:198.51.100.112/28 ip4:198.51.100.128/28 "
            "ip4:198.51.100.144/28 ip6:2001:db8:4:5::/64 "
            "ip6:2001:db8:4:6::/64 ~all");
    add_txt(zone, "_four.spf.example",
            "v=spf1 ip4:198.51.100.160/28 ip4:198.51.100.176/28 "
            "ip4:198.51.100.192/28 ip4:198.51.100.208/28 ip4:192.0.2.192/26 "
            "~all");
    /* HELO of the hop. */
    add_txt(zone, "out.a.example", "v=spf1 ip4:192.0.2.200 -all");
}

static void make_key_and_zone(void)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = no_time};
    const struct onward_random random = {.size = sizeof(random),
                                         .fill = entropy};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &random};
    char pem[4096], p[800], record[900], der[600];
    struct onward_ctx *ctx;
    struct onward_key *key;
    int pem_len, der_len;
    FILE *zone;

    if (onward_ctx_new(&opts, &ctx) != 0 ||
        onward_key_generate(ctx, ONWARD_KEY_RSA, 2048, &key) != 0 ||
        (pem_len = onward_key_to_pem(key, pem, sizeof(pem))) < 0 ||
        onward_pubkey_to_p(onward_key_public(key), p, sizeof(p)) < 0 ||
        (der_len = onward_pubkey_to_der(onward_key_public(key), der,
                                        sizeof(der))) < 0)
        bench_die("cannot make a key");
    save("key.pem", pem, (size_t)pem_len);
    save("key.der", der, (size_t)der_len);
    snprintf(record, sizeof(record), "v=DKIM1; k=rsa; p=%s", p);
    save("key.txt", record, strlen(record));
    zone = create("zone");
    add_spf(zone);
    add_txt(zone, "s._domainkey.a.example", record);
    add_txt(zone, "s._domainkey.relay.example", record);
    add_txt(zone, "_dmarc.a.example", "v=DMARC1; p=reject");
    fprintf(zone, "out.a.example 3600 IN A 192.0.2.200\n");
    fclose(zone);
    onward_key_free(key);
    onward_ctx_free(ctx);
}

/* ---- Messages ---------------------------------------------------------- */

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static size_t add(char *to, size_t at, const char *text)
{
    size_t len = strlen(text);

    memcpy(to + at, text, len);
    return at + len;
}

/* Lines of words with one space between them. */
static size_t add_text(char *to, size_t at, size_t end)
{
    uint32_t state = 1;
    size_t column = 0;

    while (at < end) {
        size_t word = 2 + next(&state) % 8;

        for (size_t i = 0; i < word; i++)
            to[at++] = (char)('a' + next(&state) % 26);
        column += word + 1;
        if (column > 66) {
            at = add(to, at, "\r\n");
            column = 0;
        } else {
            to[at++] = ' ';
        }
    }
    at--; /* no white space at the end */
    return add(to, at, ".\r\n");
}

static size_t add_base64(char *to, size_t at, size_t end)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    uint32_t state = 2;

    while (at < end) {
        for (size_t i = 0; i < 76; i++)
            to[at++] = digits[next(&state) % 64];
        at = add(to, at, "\r\n");
    }
    return at;
}

static struct bench_message make_message(size_t size)
{
    struct bench_message m = {.data = malloc(size + 8192)};

    if (m.data == NULL)
        bench_die("no memory");
    m.len = add(m.data, 0,
                "Received: from out.a.example (out.a.example [192.0.2.200])\r\n"
                "\tby mx.relay.example with ESMTPS id 1a2b3c;\r\n"
                "\tSun, 13 Sep 2020 12:26:41 +0000\r\n"
                "From: Ann Author <ann@a.example>\r\n"
                "To: Bob Reader <bob@b.example>\r\n"
                "Subject: The figures of the third quarter, as promised\r\n"
                "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
                "Message-ID: <20200913122640.4711@a.example>\r\n"
                "MIME-Version: 1.0\r\n");
    if (size < 8192) {
        m.len = add(m.data, m.len,
                    "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        m.len = add_text(m.data, m.len, size - 64);
        return m;
    }
    m.len = add(m.data, m.len,
                "Content-Type: multipart/mixed; boundary=\"cut-here\"\r\n\r\n"
                "--cut-here\r\nContent-Type: text/plain\r\n\r\n");
    m.len = add_text(m.data, m.len, m.len + 1500);
    m.len = add(m.data, m.len,
                "--cut-here\r\nContent-Type: application/octet-stream\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n");
    m.len = add_base64(m.data, m.len, size - 64);
    m.len = add(m.data, m.len, "--cut-here--\r\n");
    return m;
}

static void put_on_top(struct bench_message *m, struct onward_str fields)
{
    char *data = malloc(m->len + fields.len);

    if (data == NULL || fields.len == 0)
        bench_die("cannot sign");
    memcpy(data, fields.data, fields.len);
    memcpy(data + fields.len, m->data, m->len);
    free(m->data);
    m->data = data;
    m->len += fields.len;
}

static void dkim_done(void *user, struct onward_dkim_signer *s, int status)
{
    if (status == 0)
        put_on_top(user, onward_dkim_signer_field(s));
    onward_dkim_signer_free(s);
}

/* The seven fields above, once each. */
#define FIELDS "from:to:subject:date:message-id:mime-version:content-type"

static void sign(struct bench_message *m)
{
    const struct onward_dkim_signer_host h = {
        .size = sizeof(h), .user = m, .done = dkim_done};
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain = ONWARD_STR("a.example"),
                                              .selector = ONWARD_STR("s"),
                                              .fields = ONWARD_STR(FIELDS)};
    struct onward_dkim_signer *s;

    if (onward_dkim_signer_new(host.signer, &o, &h, &s) != 0 ||
        onward_dkim_signer_feed(s, m->data, m->len) != 0 ||
        onward_dkim_signer_finish(s) != 0)
        bench_die("cannot sign");
    bench_host_run(&host);
}

static void arc_done(void *user, struct onward_arc_sealer *s, int status)
{
    if (status == 0)
        put_on_top(user, onward_arc_sealer_fields(s));
    onward_arc_sealer_free(s);
}

static void seal(struct bench_message *m)
{
    const struct onward_arc_sealer_host h = {
        .size = sizeof(h), .user = m, .done = arc_done};
    const struct onward_arc_sealer_opts o = {
        .size = sizeof(o),
        .chain_result = ONWARD_ARC_NONE,
        .domain = ONWARD_STR("relay.example"),
        .selector = ONWARD_STR("s"),
        .authserv_id = ONWARD_STR("mx.relay.example"),
        .results = ONWARD_STR("spf=pass smtp.mailfrom=a.example")};
    struct onward_arc_sealer *s;

    if (onward_arc_sealer_new(host.signer, &o, &h, &s) != 0 ||
        onward_arc_sealer_feed(s, m->data, m->len) != 0 ||
        onward_arc_sealer_finish(s) != 0)
        bench_die("cannot seal");
    bench_host_run(&host);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        size_t size;
    } sizes[] = {{"2k", 2048}, {"50k", 51200}, {"5m", 5242880}};
    char name[32];

    if (argc != 2)
        bench_die("usage: bench_verify_fixture FOLDER");
    folder = argv[1];
    make_key_and_zone();
    bench_host_init(&host, folder);
    for (size_t i = 0; i < 3; i++) {
        /* What a signature adds is part of the size that the job names. */
        struct bench_message m = make_message(sizes[i].size - 640);

        sign(&m);
        snprintf(name, sizeof(name), "signed-%s", sizes[i].name);
        save(name, m.data, m.len);
        seal(&m);
        snprintf(name, sizeof(name), "sealed-%s", sizes[i].name);
        save(name, m.data, m.len);
        free(m.data);
    }
    bench_host_clear(&host);
    return 0;
}
