#define _GNU_SOURCE
#include "filter_world.h"

#include <dirent.h>
#include <unistd.h>

/* ---- Memory ------------------------------------------------------------ */

void *t_malloc(size_t size);
void *t_calloc(size_t count, size_t size);
void *t_realloc(void *block, size_t size);
char *t_strdup(const char *text);
char *t_strndup(const char *text, size_t len);

static struct t_world *watched;

void filter_world_watch(struct t_world *w)
{
    watched = w;
}

/* As the world's own allocator counts. */
static bool fails(void)
{
    struct t_world *w = watched;
    bool ret;

    if (w == NULL)
        return false;
    w->alloc_count++;
    ret =
        w->fail_at != 0 && (w->alloc_count == w->fail_at ||
                            (w->fail_from_then && w->alloc_count > w->fail_at));
    w->failed += ret;
    return ret;
}

void *t_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *t_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

void *t_realloc(void *block, size_t size)
{
    return fails() ? NULL : realloc(block, size);
}

char *t_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

char *t_strndup(const char *text, size_t len)
{
    return fails() ? NULL : strndup(text, len);
}

/* ---- The folder -------------------------------------------------------- */

static const char records[] =
    "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.q.example TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.fwd.example TXT \"v=DMARC1; p=none\"\n"
    "fwd.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "b.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.t.example TXT !SERVFAIL\n"
    "s._domainkey.t.example TXT !SERVFAIL\n";

static FILE *create(const struct filter_world *x, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", x->folder, name);
    return fopen(path, "w");
}

static void write_file(const struct filter_world *x, const char *name,
                       const char *text)
{
    FILE *f = create(x, name);

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void write_keys(struct filter_world *x)
{
    static const char *const domains[] = {"a.example", "b.example",
                                          "fwd.example"};
    char pem[4096], record[1000];
    struct onward_key *key;
    FILE *f = create(x, "dns.txt");
    struct t_world w;

    assert_non_null(f);
    t_world_init(&w);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_ED25519, 0, &key),
                     0);
    assert_true(onward_key_to_pem(key, pem, sizeof(pem)) > 0);
    assert_true(onward_dkim_record(onward_key_public(key), NULL, record,
                                   sizeof(record)) > 0);
    fputs(records, f);
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        fprintf(f, "s1._domainkey.%s TXT \"%s\"\n", domains[i], record);
    fclose(f);
    write_file(x, "a.pem", pem);
    onward_key_free(key);
    t_world_clear(&w);
}

static void remove_all(const struct filter_world *x)
{
    DIR *dir = opendir(x->folder);
    struct dirent *entry;
    char path[400];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", x->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(x->folder);
}

/* ---- A filter ---------------------------------------------------------- */

bool filter_world_begin(struct filter_world *x, struct t_world *w,
                        const char *config)
{
    char path[128];
    struct filter_setup_opts o;
    struct t_world *was = watched;

    filter_world_watch(NULL);
    memset(x, 0, sizeof(*x));
    x->w = w;
    strcpy(x->folder, "/tmp/onward-filter-XXXXXX");
    assert_non_null(mkdtemp(x->folder));
    write_file(x, "filter.conf", config);
    write_file(x, "srs.txt", "0123456789abcdef\n");
    write_keys(x);
    x->keys[filter_keys(&x->settings, x->keys)].name = NULL;
    snprintf(path, sizeof(path), "%s/filter.conf", x->folder);
    if (config_read(path, x->keys, x->fault, sizeof(x->fault)) != 0) {
        x->status = EXIT_CONFIG;
        return false;
    }
    x->loop = loop_new();
    filter_world_watch(was);
    if (onward_desk_new(w->ctx, NULL, &x->desk) != 0)
        return false;
    o = (struct filter_setup_opts){.ctx = w->ctx,
                                   .desk = x->desk,
                                   .loop = x->loop,
                                   .settings = &x->settings,
                                   .keys = x->keys,
                                   .path = path};
    x->setup = filter_setup_new(&o, x->fault, sizeof(x->fault), &x->status);
    return x->setup != NULL;
}

void filter_world_end(struct filter_world *x)
{
    filter_setup_free(x->setup);
    onward_desk_free(x->desk);
    if (x->loop != NULL)
        loop_free(x->loop);
    config_clear(x->keys);
    remove_all(x);
}

void filter_world_run(struct filter_world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}
