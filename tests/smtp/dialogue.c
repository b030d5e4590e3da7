#include "smtp/dialogue.h"

#include <dirent.h>

enum { FILES_MAX = 400, LINE_MAX_OCTETS = 8192, PATH_MAX_OCTETS = 1024 };

void t_dialogue_fail(const struct t_dialogue *d, const struct t_line *line,
                     const char *why)
{
    print_error("%s:%zu: %s\n", d->path, line != NULL ? line->number : 0, why);
    fail();
}

/* ---- One line ---------------------------------------------------------- */

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* The octets of what is written behind the colon. */
static void read_text(const struct t_dialogue *d, struct t_line *line,
                      const char *in, size_t len)
{
    static char out[1 << 17];
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char next = i + 1 < len ? in[i + 1] : '\0';

        assert_true(n + 2 < sizeof(out));
        if (in[i] != '\\') {
            out[n++] = in[i];
        } else if (i + 1 == len) {
            line->is_open = true;
        } else if (next == '\\') {
            out[n++] = in[++i];
        } else if (next == '?') {
            out[n++] = T_ANYTHING;
            i++;
        } else if (next == 'x' && len - i > 3 && hex_digit(in[i + 2]) >= 0 &&
                   hex_digit(in[i + 3]) >= 0) {
            out[n++] = (char)(hex_digit(in[i + 2]) * 16 + hex_digit(in[i + 3]));
            i += 3;
        } else if (next == '{' && n > 0) {
            /* The octet before, so often. */
            char *end;
            size_t times = strtoul(in + i + 2, &end, 10);
            char c = out[n - 1];

            if (*end != '}' || times == 0 || times > sizeof(out) - 2 - n)
                t_dialogue_fail(d, line, "no such repetition");
            memset(out + n, c, times - 1);
            n += times - 1;
            i = (size_t)(end - in);
        } else {
            t_dialogue_fail(d, line, "no such escape");
        }
    }
    if (!line->is_open && strchr("CSM", line->word[0]) != NULL &&
        line->word[1] == '\0') {
        memcpy(out + n, "\r\n", 2);
        n += 2;
    }
    line->text = malloc(n + 1);
    assert_non_null(line->text);
    memcpy(line->text, out, n);
    line->text[n] = '\0';
    line->len = n;
}

/* "WORD: text" or "WORD*100: text". */
static void read_line(struct t_dialogue *d, const char *in, size_t len,
                      size_t number)
{
    struct t_line *line = &d->lines[d->count];
    size_t word_len = strcspn(in, ":*\n");
    const char *end = in + word_len;

    *line = (struct t_line){.times = 1, .number = number};
    if (word_len == 0 || word_len >= sizeof(line->word))
        t_dialogue_fail(d, line, "no word before a colon");
    memcpy(line->word, in, word_len);
    if (*end == '*')
        line->times = strtoul(end + 1, (char **)(uintptr_t)&end, 10);
    if (*end != ':' || line->times == 0)
        t_dialogue_fail(d, line, "no colon");
    end += 1 + (end[1] == ' ');
    len -= (size_t)(end - in);
    if (strcmp(line->word, "options") == 0) {
        assert_true(len < sizeof(d->options));
        memcpy(d->options, end, len);
        d->options[len] = '\0';
        return;
    }
    read_text(d, line, end, len);
    d->count++;
}

/* ---- A file ------------------------------------------------------------ */

void t_dialogue_load(struct t_dialogue *d, const char *path)
{
    size_t text_len = 0;
    char *text = t_read_file(path, &text_len);
    const char *at = text;
    size_t number = 1, lines = 1;

    assert_non_null(text);
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    *d = (struct t_dialogue){.path = path};
    d->lines = calloc(lines, sizeof(d->lines[0]));
    assert_non_null(d->lines);
    /* What a dialogue shows stands in its first line. */
    assert_int_equal(text[0], '#');
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");

        assert_true(len < LINE_MAX_OCTETS);
        if (len > 0 && at[0] != '#')
            read_line(d, at, len, number);
        at += len + (at[len] == '\n');
        number++;
    }
    free(text);
}

void t_dialogue_clear(struct t_dialogue *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->lines[i].text);
    free(d->lines);
}

bool t_dialogue_word(const char **words, char *buf, size_t cap, char **value)
{
    size_t len;
    char *equals;

    *words += strspn(*words, " ");
    len = strcspn(*words, " ");
    if (len == 0)
        return false;
    assert_true(len < cap);
    memcpy(buf, *words, len);
    buf[len] = '\0';
    *words += len;
    equals = strchr(buf, '=');
    *value = equals != NULL ? equals + 1 : buf + len;
    if (equals != NULL)
        *equals = '\0';
    return true;
}

size_t t_dialogue_number(const char *value)
{
    char *end;
    size_t n = strtoul(value, &end, 10);

    assert_true(end != value && *end == '\0');
    return n;
}

/* ---- All files --------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name,
                  ((const struct CMUnitTest *)b)->name);
}

int t_dialogues_run(const char *folder, void (*test)(void **state),
                    size_t at_least)
{
    static char paths[FILES_MAX][PATH_MAX_OCTETS];
    static struct CMUnitTest tests[FILES_MAX];
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    const char *only = getenv("ONWARD_TEST_DIALOGUE");
    size_t count = 0;

    if (dir == NULL) {
        fprintf(stderr, "no folder %s\n", folder);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len < 5 || strcmp(entry->d_name + len - 4, ".txt") != 0 ||
            (only != NULL && strstr(entry->d_name, only) == NULL))
            continue;
        if (count == FILES_MAX)
            return 1;
        len = strlen(folder) + 1;
        snprintf(paths[count], sizeof(paths[0]), "%s/%s", folder,
                 entry->d_name);
        tests[count] = (struct CMUnitTest){.name = paths[count] + len,
                                           .test_func = test,
                                           .initial_state = paths[count]};
        count++;
    }
    closedir(dir);
    qsort(tests, count, sizeof(tests[0]), by_name);
    if (count < at_least && only == NULL) {
        fprintf(stderr, "only %zu dialogues in %s\n", count, folder);
        return 1;
    }
    return _cmocka_run_group_tests(folder, tests, count, NULL, NULL);
}
