/* act FILE ZONE RULES: code that acts on a message, for tickets@example.com. */
#include "host.h"

struct desk {
    struct host host;
    struct onward_verifier *verifier;
    struct onward_relay *relay;
    int is_done;
};

/* ---- The handler ------------------------------------------------------- */

static void forward(struct desk *d, struct onward_event *event)
{
    const struct onward_field_list_opts opts = {
        .size = sizeof(opts), .policy = ONWARD_FIELD_POLICY_X};
    struct onward_refusal why = {.size = sizeof(why)};
    struct onward_field_list *fields = NULL;

    if (onward_field_list_new(d->host.ctx, &opts, &fields) != 0)
        return;
    onward_field_list_add(fields, ONWARD_STR("X-Ticket"), ONWARD_STR("7"),
                          NULL);
    if (onward_event_forward(event, ONWARD_STR("desk@example.net"), fields,
                             NULL, &why) == 0)
        printf("not forwarded: %s\n", onward_refusal_name((int)why.code));
    onward_field_list_free(fields);
}

static void reply(struct desk *d, struct onward_event *event)
{
    struct onward_event_message m = {.size = sizeof(m)};
    struct onward_refusal why = {.size = sizeof(why)};

    if (onward_builder_new(d->host.ctx, NULL, &m.builder) != 0)
        return;
    onward_builder_add_address(m.builder, ONWARD_BUILDER_FROM,
                               ONWARD_STR("Ticket desk"),
                               ONWARD_STR("tickets@example.com"));
    onward_builder_set_subject(m.builder, ONWARD_STR("We have it"));
    onward_builder_set_text(m.builder, ONWARD_STR("Your number is 7.\n"));
    if (onward_event_reply(event, &m, NULL, &why) == 0)
        printf("not answered: %s\n", onward_refusal_name((int)why.code));
    onward_builder_free(m.builder);
}

/* Once for each recipient whose rule names a handler. What is done here could
 * be done later, too: the relay waits for the token's answer. */
static int handle(void *user, uint64_t token, struct onward_event *event)
{
    struct onward_str to = onward_event_to(event);
    struct desk *d = user;

    printf("%.*s, %d octets\n", (int)to.len, to.data,
           (int)onward_event_source(event)->len);
    forward(d, event);
    reply(d, event);
    return onward_event_done(d->host.desk, token);
}

/* ---- The host ---------------------------------------------------------- */

/* Here a client session would bring it to the next hop. */
static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    struct onward_smtp_reply ok = {
        .size = sizeof(ok), .code = 250, .text = ONWARD_STR("OK")};
    struct onward_relay_delivery d = {.size = sizeof(d)};

    onward_relay_delivery_at(relay, index, &d);
    printf("deliver to %.*s\n", (int)d.recipient.len, d.recipient.data);
    return onward_relay_delivery_answer(((struct desk *)user)->host.desk, token,
                                        &ok);
}

/* Here it would be put into a spool, and synced. */
static int submit(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index)
{
    struct onward_str to = onward_relay_submission_rcpt(relay, index, 0);

    printf("reply to %.*s\n", (int)to.len, to.data);
    return onward_relay_submission_answer(((struct desk *)user)->host.desk,
                                          token, 0);
}

static void done(void *user, struct onward_relay *relay)
{
    (void)relay;
    ((struct desk *)user)->is_done = 1;
}

/* ---- The transaction --------------------------------------------------- */

static int open_all(struct desk *d, struct onward_ruleset *rules)
{
    const struct onward_relay_host host = {.size = sizeof(host),
                                           .user = d,
                                           .deliver = deliver,
                                           .done = done,
                                           .handle = handle,
                                           .submit = submit};
    struct onward_relay_opts opts = {
        .size = sizeof(opts), .resolver = d->host.dns, .ruleset = rules};
    struct onward_relay_envelope mail = {.size = sizeof(mail)};
    struct onward_verifier_opts check = {.size = sizeof(check)};
    struct onward_ip client;
    int err = onward_ip_parse(ONWARD_STR("192.0.2.1"), &client);

    opts.hostname = opts.authserv_id = check.authserv_id =
        ONWARD_STR("mx.example.com");
    mail.reverse_path = check.mail_from = ONWARD_STR("alice@example.com");
    check.client_ip = &client;
    if (err == 0)
        err = onward_verifier_new(d->host.dns, &check, NULL, &d->verifier);
    if (err == 0)
        err = onward_relay_new(d->host.desk, &opts, &mail, &host, &d->relay);
    return err;
}

static void run(struct desk *d)
{
    while (onward_desk_run(d->host.desk, 0) == 1)
        continue;
}

int main(int argc, char **argv)
{
    struct onward_smtp_reply answer = {.size = sizeof(answer)};
    struct onward_memory_source *memory = NULL;
    struct onward_ruleset *rules = NULL;
    struct onward_str message;
    struct desk d = {0};
    int err;

    if (argc != 4 || host_open(&d.host, argv[2]) != 0)
        return 2;
    message = host_read(argv[1]);
    err =
        onward_ruleset_new(d.host.ctx, host_read(argv[3]), NULL, NULL, &rules);
    if (err == 0)
        err = open_all(&d, rules);
    if (err == 0 &&
        onward_relay_rcpt(d.relay, ONWARD_STR("tickets@example.com"),
                          &answer) != 1)
        err = ONWARD_ENOENT;
    if (err == 0)
        err = onward_verifier_feed(d.verifier, message.data, message.len);
    if (err == 0)
        err = onward_verifier_finish(d.verifier);
    run(&d);
    if (err == 0)
        err = onward_memory_source_new(d.host.ctx, message.data, message.len,
                                       &memory);
    if (err == 0)
        err = onward_relay_start(d.relay, d.verifier,
                                 onward_memory_source_table(memory),
                                 ONWARD_STR("Received: by mx.example.com\r\n"));
    run(&d);
    if (d.is_done && onward_relay_reply(d.relay, &answer) == 0)
        printf("%d %.*s\n", (int)answer.code, (int)answer.text.len,
               answer.text.data);
    onward_relay_free(d.relay);
    onward_verifier_free(d.verifier);
    onward_memory_source_free(memory);
    onward_ruleset_free(rules);
    host_close(&d.host);
    return err == 0 ? 0 : 1;
}
