/* libetpan: parse from memory; decoded, each leaf into memory. */
#include <libetpan/libetpan.h>

#include "bench/mime/jobs.h"

static size_t leaves;

static void visit(struct mailmime *mime, int does_decode)
{
    clistiter *cur;

    switch (mime->mm_type) {
    case MAILMIME_SINGLE: {
        struct mailmime_data *data = mime->mm_data.mm_single;
        int encoding = MAILMIME_MECHANISM_8BIT;
        char *text = NULL;
        size_t at = 0, len = 0;

        leaves++;
        if (!does_decode)
            return;
        if (mime->mm_mime_fields != NULL)
            encoding = mailmime_transfer_encoding_get(mime->mm_mime_fields);
        if (mailmime_part_parse(data->dt_data.dt_text.dt_data,
                                data->dt_data.dt_text.dt_length, &at, encoding,
                                &text, &len) != MAILIMF_NO_ERROR)
            bench_die("part");
        mailmime_decoded_part_free(text);
        return;
    }
    case MAILMIME_MULTIPLE:
        for (cur = clist_begin(mime->mm_data.mm_multipart.mm_mp_list);
             cur != NULL; cur = clist_next(cur))
            visit(clist_content(cur), does_decode);
        return;
    default:
        if (mime->mm_data.mm_message.mm_msg_mime != NULL)
            visit(mime->mm_data.mm_message.mm_msg_mime, does_decode);
        return;
    }
}

static void run(const struct bench_message *m, int does_decode)
{
    struct mailmime *mime = NULL;
    size_t at = 0;

    if (mailmime_parse(m->data, m->len, &at, &mime) != MAILIMF_NO_ERROR)
        bench_die("parse");
    leaves = 0;
    visit(mime, does_decode);
    if (leaves < 3)
        bench_die("leaves");
    mailmime_free(mime);
}

static void parse(void *arg)
{
    run(arg, 0);
}

static void decode(void *arg)
{
    run(arg, 1);
}

int main(int argc, char **argv)
{
    static const struct bench_mime_side side = {.parse = parse,
                                                .decode = decode};

    if (argc != 2)
        bench_die("etpan FOLDER");
    return bench_mime_serve(argv[1], &side);
}
