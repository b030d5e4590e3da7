/* authres alone: a result written, with a value that would like to be two. */
#include <onward/authres.h>

#include "host.h"

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    struct onward_authres_builder *builder = NULL;
    struct onward_str field;
    int ok = 0;

    if (ctx != NULL &&
        onward_authres_builder_new(ctx, ONWARD_STR("mx.example.org"),
                                   &builder) == 0 &&
        onward_authres_builder_result(builder, ONWARD_STR("spf"),
                                      ONWARD_STR("fail"),
                                      ONWARD_STR("")) == 0 &&
        onward_authres_builder_property(builder, ONWARD_STR("smtp"),
                                        ONWARD_STR("helo"),
                                        ONWARD_STR("a; dkim=pass")) == 0 &&
        onward_authres_builder_field(builder, &field) == 0)
        ok = onward_str_equal(
            field, ONWARD_STR("Authentication-Results: mx.example.org;\r\n"
                              " spf=fail smtp.helo=\"a; dkim=pass\"\r\n"));
    onward_authres_builder_free(builder);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
