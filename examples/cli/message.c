#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

char *message_add_cr(const char *in, size_t in_len, size_t *out_len)
{
    size_t lines = 0;
    size_t at = 0;
    char *out;

    for (size_t i = 0; i < in_len; i++)
        lines += in[i] == '\n';
    out = malloc(in_len + lines + 1);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < in_len; i++) {
        if (in[i] == '\n')
            out[at++] = '\r';
        out[at++] = in[i];
    }
    *out_len = at;
    return out;
}

/* The line with the first CR or LF that stands alone; 0: there is none. */
static size_t first_bare(const char *text, size_t len, const char **what)
{
    size_t line = 1;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n')) {
            *what = "CR";
            return line;
        }
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) {
            *what = "LF";
            return line;
        }
        line += text[i] == '\n';
    }
    return 0;
}

int message_read(const struct command *command, const char *path, bool is_raw,
                 struct message *message, const char **fault)
{
    const char *what = NULL;
    size_t line;

    *message = (struct message){.path = path};
    message->file = host_read_file(path, &message->file_len);
    if (message->file == NULL) {
        *fault = strerror(errno);
        return -1;
    }
    message->wire = (struct onward_str){message->file, message->file_len};
    if (is_raw || message->file_len == 0)
        return 0;
    if (memchr(message->file, '\r', message->file_len) == NULL) {
        size_t len = 0;

        message->converted = message_add_cr(message->file, message->file_len, &len);
        if (message->converted == NULL) {
            *fault = strerror(ENOMEM);
            message_clear(message);
            return -1;
        }
        message->wire = (struct onward_str){message->converted, len};
        return 0;
    }
    line = first_bare(message->file, message->file_len, &what);
    if (line != 0)
        cli_note(command,
                 "%s:%zu: a bare %s, expected CRLF at each line's end; "
                 "all are kept as they are",
                 path, line, what);
    return 0;
}

void message_write(const struct message *message, struct onward_str fields)
{
    for (size_t i = 0; i < fields.len; i++) {
        if (message->converted == NULL || fields.data[i] != '\r')
            putchar(fields.data[i]);
    }
    fwrite(message->file, 1, message->file_len, stdout);
}

void message_clear(struct message *message)
{
    free(message->file);
    free(message->converted);
    *message = (struct message){.path = message->path};
}
