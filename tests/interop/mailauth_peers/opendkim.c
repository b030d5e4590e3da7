/*
 * libopendkim as a peer: peers.py says what goes in and out.
 *
 *     opendkim ZONE DOMAIN
 */
#define _DEFAULT_SOURCE /* u_char, in its header */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <opendkim/dkim.h>

enum { ARGUMENTS = 7 };

struct octets {
    unsigned char *data;
    size_t len;
};

static struct octets read_file(const char *path)
{
    struct octets o = {0};
    FILE *file = fopen(path, "rb");
    size_t room = 0;
    size_t got;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    do {
        if (o.len == room) {
            room = room == 0 ? 65536 : room * 2;
            o.data = realloc(o.data, room + 3);
            if (o.data == NULL)
                exit(1);
        }
        got = fread(o.data + o.len, 1, room - o.len, file);
        o.len += got;
    } while (got != 0);
    memset(o.data + o.len, 0, 3); /* text, and room to look ahead */
    fclose(file);
    return o;
}

/* Its file of keys has lines "NAME TEXT". */
static DKIM_LIB *open_library(const char *zone, const char *keys)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    dkim_query_t method = DKIM_QUERY_FILE;
    struct octets text = read_file(zone);
    FILE *out = fopen(keys, "w");

    if (lib == NULL || out == NULL)
        exit(1);
    for (char *line = strtok((char *)text.data, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        char *type = strstr(line, " TXT ");

        if (type == NULL)
            continue;
        fprintf(out, "%.*s ", (int)(type - line), line);
        for (const char *s = type + 5; *s != '\0'; s++) {
            if (s[0] == '"' && s[1] == ' ' && s[2] == '"')
                s += 2;
            else if (s[0] != '"')
                fputc(*s, out);
        }
        fputc('\n', out);
    }
    fclose(out);
    free(text.data);
    if (dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYMETHOD, &method,
                     sizeof(method)) != DKIM_STAT_OK ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYINFO, (char *)keys,
                     strlen(keys)) != DKIM_STAT_OK)
        exit(1);
    return lib;
}

static void say(const char *first, const char *second)
{
    printf("%s %s\n", first, second);
}

/* Field by field and then the body, as its own mail filter does. */
static DKIM_STAT feed(DKIM *dkim, const char *path)
{
    struct octets message = read_file(path);
    unsigned char *end = message.data + message.len;
    unsigned char *at = message.data;
    DKIM_STAT stat = DKIM_STAT_OK;

    while (stat == DKIM_STAT_OK && at != end && memcmp(at, "\r\n", 2) != 0) {
        unsigned char *stop = at;

        while (stop != end && (memcmp(stop, "\r\n", 2) != 0 || stop[2] == ' ' ||
                               stop[2] == '\t'))
            stop++;
        stat = dkim_header(dkim, at, (size_t)(stop - at));
        at = stop == end ? end : stop + 2;
    }
    if (stat == DKIM_STAT_OK)
        stat = dkim_eoh(dkim);
    if (stat == DKIM_STAT_OK && end - at > 2)
        stat = dkim_body(dkim, at + 2, (size_t)(end - at) - 2);
    free(message.data);
    return stat;
}

static dkim_canon_t canon_of(const char *text)
{
    return strncmp(text, "simple", 6) == 0 ? DKIM_CANON_SIMPLE
                                           : DKIM_CANON_RELAXED;
}

/* sign MESSAGE OUT KEY SELECTOR ALGORITHM CANON */
static void sign(DKIM_LIB *lib, const char *domain, char **arg)
{
    struct octets key = read_file(arg[3]);
    const char *slash = strchr(arg[6], '/');
    DKIM_STAT stat;
    unsigned char *field = NULL;
    size_t len = 0;
    bool is_rsa = strncmp(arg[5], "rsa", 3) == 0;
    DKIM *dkim = dkim_sign(
        lib, (const unsigned char *)"peer", NULL, key.data,
        (const unsigned char *)arg[4], (const unsigned char *)domain,
        canon_of(arg[6]), canon_of(slash + 1),
        is_rsa ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256, -1, &stat);

    if (dkim == NULL) {
        say("fail", dkim_getresultstr(stat));
        free(key.data);
        return;
    }
    stat = feed(dkim, arg[1]);
    if (stat == DKIM_STAT_OK)
        stat = dkim_eom(dkim, NULL);
    if (stat == DKIM_STAT_OK)
        stat = dkim_getsighdr_d(dkim, strlen("DKIM-Signature: "), &field, &len);
    if (stat == DKIM_STAT_OK) {
        FILE *out = fopen(arg[2], "wb");

        if (out == NULL)
            exit(1);
        fprintf(out, "DKIM-Signature: %s\r\n", (char *)field);
        fclose(out);
        puts("ok");
    } else {
        say("fail", dkim_getresultstr(stat));
    }
    dkim_free(dkim);
    free(key.data);
}

/* verify MESSAGE SELECTOR */
static void verify(DKIM_LIB *lib, char **arg)
{
    DKIM_STAT stat;
    DKIM *dkim = dkim_verify(lib, (const unsigned char *)"peer", NULL, &stat);
    DKIM_SIGINFO **list = NULL;
    const char *said = "no signature seen";
    int count = 0;

    if (dkim == NULL)
        exit(1);
    stat = feed(dkim, arg[1]);
    if (stat == DKIM_STAT_OK)
        stat = dkim_eom(dkim, NULL);
    if (stat != DKIM_STAT_OK)
        said = dkim_getresultstr(stat);
    if (stat == DKIM_STAT_SYNTAX ||
        dkim_getsiglist(dkim, &list, &count) != DKIM_STAT_OK)
        count = 0;
    for (int i = 0; i < count; i++) {
        const unsigned char *selector = dkim_sig_getselector(list[i]);

        if (selector == NULL || strcmp((const char *)selector, arg[2]) != 0)
            continue;
        /* Those below the first good one are left alone: ours is on top. */
        said = DKIM_SIG_CHECK(list[i])
                   ? NULL
                   : dkim_sig_geterrorstr(dkim_sig_geterror(list[i]));
        if (said == NULL || said[0] == '\0')
            said = said == NULL ? NULL : "not passed";
        break;
    }
    if (said == NULL)
        puts("pass");
    else
        say("fail", said);
    dkim_free(dkim);
}

int main(int argc, char **argv)
{
    static char line[8192];
    char keys[4096];
    DKIM_LIB *lib;

    if (argc != 3)
        return 2;
    snprintf(keys, sizeof(keys), "%s.opendkim", argv[1]);
    lib = open_library(argv[1], keys);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *arg[ARGUMENTS] = {0};
        int count = 0;

        line[strcspn(line, "\n")] = '\0';
        for (char *s = strtok(line, "\t"); s != NULL && count < ARGUMENTS;
             s = strtok(NULL, "\t"))
            arg[count++] = s;
        if (count == 7 && strcmp(arg[0], "sign") == 0)
            sign(lib, argv[2], arg);
        else if (count == 3 && strcmp(arg[0], "verify") == 0)
            verify(lib, arg);
        else
            puts("fail not understood");
    }
    dkim_close(lib);
    return 0;
}
