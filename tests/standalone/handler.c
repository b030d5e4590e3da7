/* handler alone: a field that may be put on a copy, and one that may not. */
#include <onward/handler.h>

#include "host.h"

int main(void)
{
    const struct onward_field_list_opts opts = {
        .size = sizeof(opts), .policy = ONWARD_FIELD_POLICY_X};
    struct onward_refusal why = {.size = sizeof(why)};
    struct onward_field_list *list = NULL;
    struct onward_ctx *ctx = host_ctx();
    int ok = 0;

    if (ctx != NULL && onward_field_list_new(ctx, &opts, &list) == 0 &&
        onward_field_list_add(list, ONWARD_STR("X-Seen"), ONWARD_STR("yes"),
                              &why) == 1 &&
        onward_field_list_add(list, ONWARD_STR("Received"), ONWARD_STR("me"),
                              &why) == 0)
        ok = why.code == ONWARD_REFUSAL_FIELD_NOT_ALLOWED &&
             onward_str_equal(onward_field_list_text(list),
                              ONWARD_STR("X-Seen: yes\r\n"));
    onward_field_list_free(list);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
