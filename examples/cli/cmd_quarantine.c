/*
 * onward quarantine list, show, release, delete: mail that a forwarder's rules
 * have put apart. It is a spool of its own, in a folder of the spool.
 */
#include "queue_run.h"

static int run_list(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_NOTHING, true, true);
}

static int run_show(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_NOTHING, false, true);
}

static int run_release(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_RELEASE, false, true);
}

static int run_delete(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_DELETE, false, true);
}

#define WHERE                                                                  \
    "The quarantine is in the spool of onward-forwarder(8), by default "       \
    "/var/lib/onward-forwarder/spool.\n"

const struct command command_quarantine_list = {
    .name = "quarantine list",
    .operands = "",
    .summary = "List the messages that rules have put apart",
    .details = "The oldest first: the place that the rule names, and where it "
               "would go when it is\nreleased.\n" WHERE,
    .examples = "onward quarantine list --spool spool\n"
                "onward quarantine list --spool spool --json\n",
    .run = run_list,
};

const struct command command_quarantine_show = {
    .name = "quarantine show",
    .operands = "ID...",
    .summary = "Show a message that was put apart, and its envelope",
    .details = WHERE,
    .examples = "onward quarantine show --spool spool "
                "0658d4f3e6a800-1f2e3d4c\n"
                "onward quarantine show --spool spool --content "
                "0658d4f3e6a800-1f2e3d4c\n",
    .run = run_show,
};

const struct command command_quarantine_release = {
    .name = "quarantine release",
    .operands = "ID...",
    .summary = "Send a message on to where the rules would have sent it",
    .details = WHERE "The forwarder does it, now or when it runs; not to a "
                     "destination that is not\nverified any more.\n",
    .examples = "onward quarantine release --spool spool "
                "0658d4f3e6a800-1f2e3d4c\n",
    .run = run_release,
};

const struct command command_quarantine_delete = {
    .name = "quarantine delete",
    .operands = "ID...",
    .summary = "Delete a message that was put apart; nobody is told",
    .details = WHERE,
    .examples = "onward quarantine delete --spool spool "
                "0658d4f3e6a800-1f2e3d4c\n",
    .run = run_delete,
};
