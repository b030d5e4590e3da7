/* What replies and sent messages have in common: they are read as other
 * readers would, and say who wrote them. */
#include "handler/handler_shared.h"

#include "mime/mime_shared.h"

enum { AUTHORS_MAX = 100 };

int onward_handler__write_address(struct onward_arena *arena,
                                  const struct onward_address__mailbox *mailbox,
                                  struct onward_str *text)
{
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, arena->ctx, 2048);
    err = onward_address__write(&out, mailbox, ONWARD_ADDRESS_ASCII);
    if (err == 0)
        err = onward_core__arena_dup(arena, onward_core__buf_str(&out), text);
    onward_core__buf_clear(&out);
    return err == 0 ? 0 : ONWARD_ENOMEM;
}

int onward_handler__address(struct onward_arena *arena, struct onward_str in,
                            struct onward_address__mailbox *mailbox,
                            struct onward_str *text)
{
    int err = onward_address__parse_mailbox(
        arena, in, ONWARD_ADDRESS_ALLOW_UTF8, mailbox, NULL);

    return err != 0 ? err : onward_handler__write_address(arena, mailbox, text);
}

int onward_handler__same(struct onward_arena *arena, struct onward_str a,
                         struct onward_str b)
{
    struct onward_address__mailbox mailbox;
    struct onward_str one, two;
    int err = onward_handler__address(arena, a, &mailbox, &one);

    if (err == 0)
        err = onward_handler__address(arena, b, &mailbox, &two);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : 0;
    return onward_core__str_eq(one, two);
}

static size_t find_trace(const struct onward_header *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (onward_handler__class_of(onward_mime__name(h, i)) ==
            ONWARD_FIELD__TRACE)
            return i;
    }
    return ONWARD_HEADER_NONE;
}

/* 1, 0 (not exactly one author) or ONWARD_ENOMEM. */
static int read_author(struct onward_arena *arena,
                       const struct onward_header *h, struct onward_str *author)
{
    const struct onward_str name = ONWARD_STR("From");
    struct onward_address__list list;
    int err;

    if (onward_header_count_named(h, name) != 1)
        return 0;
    err = onward_address__parse_list(
        arena, onward_mime__value(h, onward_header_first(h, name)), AUTHORS_MAX,
        &list, NULL);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err != 0 || list.count != 1)
        return 0;
    err = onward_handler__write_address(arena, &list.first->mailbox, author);
    return err == 0 ? 1 : err;
}

int onward_handler__check_message(struct onward_arena *arena,
                                  const struct onward_header *message,
                                  struct onward_str from,
                                  struct onward_str *author,
                                  struct onward_refusal *refusal)
{
    const struct onward_str none = {0};
    struct onward_str who = {0};
    size_t i;
    int ret;

    if (onward_header_is_malformed(message))
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_PARSE, none);
    i = find_trace(message);
    if (i != ONWARD_HEADER_NONE)
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_TRACE_FIELD,
                                      onward_mime__name(message, i));
    ret = read_author(arena, message, &who);
    if (ret == 1 && from.len != 0)
        ret = onward_handler__same(arena, who, from);
    if (ret < 0)
        return ret;
    if (ret == 0)
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_FROM, from);
    if (onward_handler__one_id(message, ONWARD_STR("Message-ID")).len == 0)
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_NO_MESSAGE_ID,
                                      none);
    if (author != NULL)
        *author = who;
    return 1;
}
