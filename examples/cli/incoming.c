#include "incoming.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

void incoming_name(struct incoming *in, const char *member)
{
    snprintf(in->name, sizeof(in->name), member[0] != '\0' ? "%s(%s)" : "%s",
             in->path, member);
    /* The name is somebody else's text, and goes to a terminal. */
    for (char *c = in->name + strlen(in->path); *c != '\0'; c++)
        *c = *c >= 0x20 && *c < 0x7f ? *c : '?';
}

int incoming_fail(struct incoming *in, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    in->has_failed = true;
    in->status = cli_broken(in->command, "%s%s", in->name, text);
    return 1;
}

void incoming_read(struct incoming *in, struct onward_ctx *ctx,
                   const char *path, const struct unpack_sink *sink)
{
    const char *fault = NULL;
    size_t len = 0;
    char *file = host_read_file(path, &len);

    in->path = path;
    in->has_failed = false;
    if (file == NULL) {
        in->status = cli_broken(in->command, "%s: %s", path, strerror(errno));
        return;
    }
    if (unpack(ctx, (struct onward_str){file, len}, sink, &fault) != 0 &&
        !in->has_failed)
        in->status = cli_broken(in->command, "%s: %s", path,
                                fault != NULL ? fault : "cannot be read");
    free(file);
}
