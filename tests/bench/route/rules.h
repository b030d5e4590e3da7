/* Our side's rules: from the JSON, or from the image in the mapped file. */
#ifndef ONWARD_BENCH_ROUTE_RULES_H
#define ONWARD_BENCH_ROUTE_RULES_H

#include <onward/ruleset.h>

struct onward_ctx *rules_ctx(void);
struct onward_ruleset *rules_load(struct onward_ctx *ctx, const char *folder);
/* A file as it is mapped; stays so to the end. */
struct onward_str rules_map(const char *folder, const char *name);
struct onward_ruleset *rules_open(struct onward_ctx *ctx,
                                  struct onward_str file);

#endif
