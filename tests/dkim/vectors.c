#include "dkim/vectors.h"

bool v_open(struct v_file *f, const char *name)
{
    const char *path = t_conformance(name);
    struct onward_json_fault fault;
    size_t len;

    memset(f, 0, sizeof(*f));
    if (path == NULL)
        return false;
    f->text = t_read_file(path, &len);
    if (f->text == NULL)
        return false;
    t_world_init(&f->world);
    onward_core__arena_init(&f->arena, f->world.ctx, SIZE_MAX);
    assert_int_equal(onward_json__parse(&f->arena,
                                        onward_core__str(f->text, len), 16,
                                        &f->root, &fault),
                     0);
    return true;
}

void v_close(struct v_file *f)
{
    onward_core__arena_clear(&f->arena);
    t_world_clear(&f->world);
    free(f->text);
}

const char *v_text(struct v_file *f, const struct onward_json *v,
                   const char *key)
{
    const struct onward_json *m = key == NULL ? v : onward_json__get(v, key);
    char *copy;

    if (m == NULL)
        return NULL;
    copy = onward_core__arena_alloc(&f->arena, m->text.len + 1);
    assert_non_null(copy);
    if (m->text.len > 0)
        memcpy(copy, m->text.data, m->text.len);
    return copy;
}

struct onward_str v_octets(struct v_file *f, const struct onward_json *v,
                           const char *key)
{
    const struct onward_json *m = onward_json__get(v, key);
    unsigned char *out;
    size_t len = 0;

    assert_non_null(m);
    out = onward_core__arena_alloc(&f->arena, m->text.len + 1);
    assert_non_null(out);
    for (size_t i = 0; i < m->text.len; i++) {
        unsigned c = (unsigned char)m->text.data[i];

        if (c >= 0x80) {
            assert_true((c & 0xfc) == 0xc0);
            c = (c & 3) << 6 | ((unsigned char)m->text.data[++i] & 0x3f);
        }
        out[len++] = (unsigned char)c;
    }
    return onward_core__str(out, len);
}

int64_t v_int(const struct onward_json *v, const char *key)
{
    int64_t value = 0;

    assert_int_equal(onward_json__int(onward_json__get(v, key), &value), 0);
    return value;
}

bool v_has(const struct onward_json *v, const char *text)
{
    struct onward_str want = onward_str_of(text);

    if (v == NULL)
        return false;
    if (v->type == ONWARD_JSON_STRING)
        return onward_core__str_eq(v->text, want);
    for (v = v->first; v != NULL; v = v->next) {
        if (onward_core__str_eq(v->text, want))
            return true;
    }
    return false;
}

static void add_octet(char *zone, unsigned char c)
{
    char text[8];

    snprintf(text, sizeof(text),
             c > 32 && c < 127 && c != '"' && c != '\\' ? "%c" : "\\%03d", c);
    strcat(zone, text);
}

void v_add_txt(char *zone, struct onward_str name,
               const struct onward_json *strings)
{
    assert_true(strlen(zone) + name.len < V_ZONE_CAP / 2);
    strncat(zone, name.data, name.len);
    strcat(zone, " TXT");
    for (const struct onward_json *s = strings->first; s != NULL; s = s->next) {
        strcat(zone, " \"");
        for (size_t i = 0; i < s->text.len; i++) {
            if (i > 0 && i % 255 == 0)
                strcat(zone, "\" \"");
            add_octet(zone, (unsigned char)s->text.data[i]);
        }
        strcat(zone, "\"");
    }
    strcat(zone, "\n");
}
