/* The rules as JSON, and the image of them. */
#include <onward/ruleset.h>

#include "bench/route/data.h"
#include "bench/route/rules.h"

static void put_rules(FILE *f)
{
    char zone[TEXT], to[TEXT];

    fputs("{\"version\":1,\"zones\":[\n", f);
    for (unsigned i = 0; i < ZONES; i++) {
        put_zone(zone, i);
        fprintf(f, "%s{\"name\":\"%s\",\"settings\":{\"support_subaddress\":"
                   "true},\"rules\":[",
                i == 0 ? "" : ",\n", zone);
        for (unsigned rule = 0; rule < 2; rule++) {
            put_destination(to, i, rule);
            fprintf(f,
                    "%s{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\","
                    "\"value\":\"%s@%s\"}],\"actions\":[{\"type\":\"forward\","
                    "\"value\":[\"%s\"]}]}",
                    rule == 0 ? "" : ",", locals[rule], zone, to);
        }
        fputs("]", f);
        put_destination(to, i, 2);
        if (has_catch_all(i))
            fprintf(f,
                    ",\"catch_all\":{\"matchers\":[{\"type\":\"all\"}],"
                    "\"actions\":[{\"type\":\"forward\",\"value\":[\"%s\"]}]}",
                    to);
        fputs("}", f);
    }
    fputs("],\n\"addresses\":[", f);
    for (unsigned i = 0; i < DESTINATIONS; i++)
        fprintf(f, "%s{\"email\":\"box%03u@mail.example.net\",\"verified\":"
                   "true}",
                i == 0 ? "" : ",", i);
    fputs("]}\n", f);
}

static int put(void *user, const void *data, size_t len)
{
    return fwrite(data, 1, len, user) == len ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct onward_ruleset_image_sink sink = {.size = sizeof(sink),
                                             .write = put};
    struct onward_ctx *ctx = rules_ctx();
    struct onward_ruleset *rs;
    char path[4096];
    FILE *f;

    if (argc != 2)
        bench_die("fixture FOLDER");
    snprintf(path, sizeof(path), "%s/rules.json", argv[1]);
    f = fopen(path, "wb");
    if (f == NULL)
        bench_die(path);
    put_rules(f);
    if (fclose(f) != 0)
        bench_die(path);
    rs = rules_load(ctx, argv[1]);
    snprintf(path, sizeof(path), "%s/rules.image", argv[1]);
    sink.user = f = fopen(path, "wb");
    if (f == NULL || onward_ruleset_write_image(rs, &sink) != 0 ||
        fclose(f) != 0)
        bench_die(path);
    onward_ruleset_free(rs);
    onward_ctx_free(ctx);
    return 0;
}
