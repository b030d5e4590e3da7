/* authres: write an Authentication-Results field, and read it again. */
#include <string.h>

#include "host.h"

static int write_field(struct onward_authres_builder *b,
                       struct onward_str *field)
{
    struct onward_str none = {0};
    int err = onward_authres_builder_result(b, ONWARD_STR("spf"),
                                            ONWARD_STR("pass"), none);

    if (err == 0)
        err = onward_authres_builder_property(b, ONWARD_STR("smtp"),
                                              ONWARD_STR("mailfrom"),
                                              ONWARD_STR("alice@example.com"));
    if (err == 0)
        err = onward_authres_builder_result(
            b, ONWARD_STR("dkim"), ONWARD_STR("fail"),
            ONWARD_STR("the body was changed; or worse"));
    if (err == 0)
        err = onward_authres_builder_property(b, ONWARD_STR("header"),
                                              ONWARD_STR("d"),
                                              ONWARD_STR("example.com"));
    if (err == 0)
        err = onward_authres_builder_field(b, field);
    return err;
}

static void show(const struct onward_authres *read)
{
    struct onward_str id = onward_authres_authserv_id(read);

    printf("%.*s says:\n", (int)id.len, id.data);
    for (size_t i = 0; i < onward_authres_count(read); i++) {
        struct onward_str method = onward_authres_method(read, i);
        struct onward_str result = onward_authres_result(read, i);
        struct onward_str d = onward_authres_value(
            read, i, ONWARD_STR("header"), ONWARD_STR("d"));

        printf("  %.*s is %.*s %.*s\n", (int)method.len, method.data,
               (int)result.len, result.data, (int)d.len, d.data);
    }
}

int main(void)
{
    struct onward_authres_builder *b = NULL;
    struct onward_authres *read = NULL;
    struct onward_str field, value;
    struct host host;
    int err = host_open(&host, NULL);

    if (err == 0)
        err = onward_authres_builder_new(host.ctx, ONWARD_STR("mx.example.net"),
                                         &b);
    if (err == 0)
        err = write_field(b, &field);
    if (err == 0) {
        printf("%.*s", (int)field.len, field.data);
        value.data = field.data + strlen("Authentication-Results:");
        value.len = field.len - strlen("Authentication-Results:\r\n");
        err = onward_authres_parse(host.ctx, value, NULL, &read);
    }
    if (err == 0)
        show(read);
    onward_authres_free(read);
    onward_authres_builder_free(b);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
