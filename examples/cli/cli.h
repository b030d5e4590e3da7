/*
 * What the subcommands of `onward` share: how one is declared, what it ends
 * with, how it complains.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* Exit statuses; a higher one wins over a lower one. */
enum cli_status {
    CLI_DONE = OPTIONS_DONE,
    CLI_NOT_PASS = 1, /* with --check: some result is not pass */
    CLI_USAGE = OPTIONS_WRONG,
    CLI_BROKEN = 3 /* input or system error */
};

struct command {
    const char *name;     /* "spf check" */
    const char *operands; /* "MESSAGE...", empty for none */
    const char *summary;  /* one line, no full stop */
    const char *details;  /* lines for --help, each ending in a line feed */
    const char *examples; /* command lines, each ending in a line feed */
    int (*run)(const struct command *command, struct args args);
};

extern const struct command command_verify;
extern const struct command command_completion;
extern const struct command command_tlsrpt_report;
extern const struct command command_tlsrpt_send;
extern const struct command command_sign;
extern const struct command command_seal;
extern const struct command command_spf_check;
extern const struct command command_dane_check;
extern const struct command command_destinations_add;
extern const struct command command_destinations_list;
extern const struct command command_destinations_revoke;
extern const struct command command_destinations_verify;
extern const struct command command_egress;
extern const struct command command_dane_record;
extern const struct command command_doctor;
extern const struct command command_dsn_parse;
extern const struct command command_dmarc_check;
extern const struct command command_dmarc_report;
extern const struct command command_event;
extern const struct command command_explain;
extern const struct command command_keygen;
extern const struct command command_lint_spf;
extern const struct command command_lint_dkim;
extern const struct command command_lint_dmarc;
extern const struct command command_lint_mta_sts;
extern const struct command command_lint_tlsrpt;
extern const struct command command_mime_build;
extern const struct command command_mime_edit;
extern const struct command command_mime_parse;
extern const struct command command_mta_sts_check;
extern const struct command command_mta_sts_parse;
extern const struct command command_mta_sts_publish;
extern const struct command command_quarantine_delete;
extern const struct command command_quarantine_list;
extern const struct command command_quarantine_release;
extern const struct command command_quarantine_show;
extern const struct command command_queue_delete;
extern const struct command command_reply;
extern const struct command command_queue_hold;
extern const struct command command_queue_list;
extern const struct command command_queue_release;
extern const struct command command_queue_retry;
extern const struct command command_queue_show;
extern const struct command command_route;
extern const struct command command_rules_check;
extern const struct command command_rules_compile;
extern const struct command command_rules_diff;
extern const struct command command_srs_forward;
extern const struct command command_srs_reverse;

/* All of them, in the order of --help. */
const struct command *const *cli_commands(size_t *count);
/* The value of --port; NULL: *port stays. false: none. */
bool cli_port(const char *text, size_t *port);
/* As options_read(), for `onward NAME`. */
int cli_options(const struct command *command, struct option *options,
                struct args *args);
/* one() for each operand, or once for "-" when there is none; the highest status
 * of all. */
int cli_each(struct args args, int (*one)(void *user, const char *path),
             void *user);
/* "onward NAME: ..." on standard error. */
void cli_note(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same; gives CLI_BROKEN. */
int cli_broken(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with a word about --help; gives CLI_USAGE. */
int cli_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
