/* Hooks: where they are, and posts on their way, by libcurl in our loop. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>

#include "host.h"
#include "webhook.h"

enum {
    SECRETS_MAX = 4,
    POSTS_MAX = 200,
    ANSWER_MAX = 65536,
    BODY_MAX = 268435456
};

/* ---- Where they are ---------------------------------------------------- */

struct webhook_config {
    char *text; /* of the secrets */
    size_t text_len;
    struct onward_str secrets[SECRETS_MAX];
    size_t count;
};

static const char *url_of(const char *value)
{
    const char *blank = strpbrk(value, " \t");

    return blank == NULL ? "" : blank + strspn(blank, " \t");
}

const char *webhook_judge(const char *value)
{
    const char *url = url_of(value);
    CURLU *parts = curl_url();
    bool is_url = parts != NULL &&
                  (strncasecmp(url, "https://", 8) == 0 ||
                   strncasecmp(url, "http://", 7) == 0) &&
                  curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;

    curl_url_cleanup(parts);
    return is_url ? NULL
                  : "NAME URL, as in tickets https://desk.example/incoming";
}

static const char *find_url(const struct settings *set, struct onward_str name)
{
    for (size_t i = 0; i < set->webhooks.count; i++) {
        const char *item = set->webhooks.items[i];

        if (strcspn(item, " \t") == name.len &&
            memcmp(item, name.data, name.len) == 0)
            return url_of(item);
    }
    return NULL;
}

/* One a line; all sign. */
static int split(struct webhook_config *c, const char *path, char *fault,
                 size_t fault_size)
{
    char out[ONWARD_WEBHOOK_SIGNATURE_MAX];
    const char *at = c->text, *end = c->text + c->text_len;

    for (size_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop == NULL ? end : stop + 1;
        struct onward_str s = {at, (size_t)((stop == NULL ? end : stop) - at)};

        if (s.len > 0 && s.data[s.len - 1] == '\r')
            s.len--;
        if (c->count == SECRETS_MAX ||
            onward_webhook_sign(s, 0, s, &s, 1, out, sizeof(out)) < 0) {
            snprintf(fault, fault_size,
                     "%s:%zu: no secret, expected up to %d lines of at most "
                     "256 octets, or whsec_ and base64",
                     path, line, SECRETS_MAX);
            return -1;
        }
        c->secrets[c->count++] = s;
        at = next;
    }
    if (c->count == 0)
        snprintf(fault, fault_size,
                 "%s:1: an empty file, expected one secret a line", path);
    return c->count == 0 ? -1 : 0;
}

struct webhook_config *webhook_config_new(const struct settings *set,
                                          char *fault, size_t fault_size)
{
    struct webhook_config *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        snprintf(fault, fault_size, "out of memory");
        return NULL;
    }
    if (set->webhook_secret == NULL)
        return c;
    c->text = host_read_file(set->webhook_secret, &c->text_len);
    if (c->text == NULL)
        snprintf(fault, fault_size, "%s: %s, expected a readable file",
                 set->webhook_secret, strerror(errno));
    if (c->text != NULL &&
        split(c, set->webhook_secret, fault, fault_size) == 0)
        return c;
    webhook_config_free(c);
    return NULL;
}

void webhook_config_free(struct webhook_config *c)
{
    if (c == NULL)
        return;
    if (c->text != NULL)
        explicit_bzero(c->text, c->text_len);
    free(c->text);
    free(c);
}

/* ---- Posts on their way ------------------------------------------------ */

struct post {
    struct post *next, **prev;
    struct webhooks *all;
    uint64_t token;
    CURL *easy;
    struct curl_slist *fields;
    struct onward_webhook *hook; /* the body */
    size_t held;                 /* of the memory for messages */
    size_t received;
    char error[CURL_ERROR_SIZE];
};

struct webhooks {
    struct forwarder *fwd;
    CURLM *multi;
    struct post *posts;
    size_t count;
    int64_t deadline_ms;
};

/* A socket of libcurl's. */
struct wire {
    struct loop_watch watch;
    struct webhooks *all;
};

static void free_post(struct post *p)
{
    if (p->easy != NULL) {
        curl_multi_remove_handle(p->all->multi, p->easy);
        curl_easy_cleanup(p->easy);
    }
    curl_slist_free_all(p->fields);
    onward_webhook_free(p->hook);
    p->all->fwd->held_bytes -= p->held;
    *p->prev = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    p->all->count--;
    free(p);
}

static void tell(struct post *p, CURLcode result)
{
    struct onward_desk *desk = p->all->fwd->desk;
    char why[400];
    long status = 0;

    curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK && status >= 200 && status < 300) {
        onward_event_done(desk, p->token);
        return;
    }
    if (result == CURLE_OK)
        snprintf(why, sizeof(why), "the webhook answers %ld", status);
    else
        snprintf(why, sizeof(why), "the webhook cannot be asked: %s",
                 p->error[0] != '\0' ? p->error : curl_easy_strerror(result));
    log_event(p->all->fwd, "webhook-failed", why);
    onward_event_fail(desk, p->token, onward_str_of(why));
}

static void reap(struct webhooks *all)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(all->multi, &left)) != NULL) {
        CURLcode result = m->data.result;
        struct post *p = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
        tell(p, result);
        free_post(p);
    }
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct wire *w =
        (struct wire *)(void *)((char *)watch - offsetof(struct wire, watch));
    struct webhooks *all = w->all; /* w may be gone behind the call */
    int mask = 0, running;

    if ((events & EPOLLIN) != 0)
        mask |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0)
        mask |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(all->multi, watch->fd, mask, &running);
    reap(all);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                     void *socket_user)
{
    struct webhooks *all = user;
    struct wire *w = socket_user;
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            loop_remove(all->fwd->loop, &w->watch);
        free(w);
        curl_multi_assign(all->multi, fd, NULL);
        return 0;
    }
    if (w != NULL)
        return loop_want(all->fwd->loop, &w->watch, events);
    w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -1;
    w->all = all;
    w->watch = (struct loop_watch){.fd = fd, .ready = ready};
    if (loop_add(all->fwd->loop, &w->watch, events) != 0) {
        free(w);
        return -1;
    }
    curl_multi_assign(all->multi, fd, w);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct webhooks *all = user;

    (void)multi;
    all->deadline_ms =
        timeout_ms < 0 ? ONWARD_NEVER : host_now_ms() + timeout_ms;
    return 0;
}

/* What a hook says is of no use, its status is. */
static size_t on_answer(char *data, size_t size, size_t count, void *user)
{
    struct post *p = user;

    (void)data;
    p->received += size * count;
    return p->received > ANSWER_MAX ? 0 : size * count;
}

static struct webhooks *open_all(struct forwarder *fwd)
{
    struct webhooks *all = fwd->webhooks;

    if (all != NULL)
        return all;
    all = calloc(1, sizeof(*all));
    if (all == NULL)
        return NULL;
    all->fwd = fwd;
    all->deadline_ms = ONWARD_NEVER;
    all->multi = curl_multi_init();
    if (all->multi == NULL) {
        free(all);
        return NULL;
    }
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETDATA, all);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERDATA, all);
    fwd->webhooks = all;
    return all;
}

/* ---- One post ---------------------------------------------------------- */

static int add_field(struct post *p, const char *name, const char *value)
{
    char line[400];
    struct curl_slist *more;

    snprintf(line, sizeof(line), "%s:%s%s", name, value[0] == '\0' ? "" : " ",
             value);
    more = curl_slist_append(p->fields, line);
    if (more == NULL)
        return -1;
    p->fields = more;
    return 0;
}

static int add_fields(struct post *p, const struct webhook_config *config)
{
    char signature[SECRETS_MAX * ONWARD_WEBHOOK_SIGNATURE_MAX], now[32];
    time_t now_s = time(NULL);

    snprintf(now, sizeof(now), "%lld", (long long)now_s);
    if (add_field(p, "Content-Type", "application/json") != 0 ||
        /* The receiver would be asked first, which few know. */
        add_field(p, "Expect", "") != 0 ||
        add_field(p, "webhook-id", onward_webhook_id(p->hook).data) != 0 ||
        add_field(p, "webhook-timestamp", now) != 0)
        return -1;
    if (config->count == 0)
        return 0;
    if (onward_webhook_sign(onward_webhook_id(p->hook), now_s,
                            onward_webhook_body(p->hook), config->secrets,
                            config->count, signature, sizeof(signature)) < 0)
        return -1;
    return add_field(p, "webhook-signature", signature);
}

static void set_options(struct post *p, const struct settings *set,
                        const char *url)
{
    struct onward_str body = onward_webhook_body(p->hook);

    curl_easy_setopt(p->easy, CURLOPT_URL, url);
    curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
    curl_easy_setopt(p->easy, CURLOPT_ERRORBUFFER, p->error);
    curl_easy_setopt(p->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(p->easy, CURLOPT_PROXY, ""); /* whatever is set outside */
    curl_easy_setopt(p->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(p->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(p->easy, CURLOPT_USERAGENT, "onward-forwarder");
    curl_easy_setopt(p->easy, CURLOPT_TIMEOUT, (long)set->webhook_timeout_s);
    curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->fields);
    curl_easy_setopt(p->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)body.len);
    curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(p->easy, CURLOPT_WRITEDATA, p);
    if (set->webhook_trust != NULL)
        curl_easy_setopt(p->easy, CURLOPT_CAINFO, set->webhook_trust);
}

static int read_message(const struct onward_event *event, char **out,
                        size_t *len)
{
    const struct onward_source *source = onward_event_source(event);
    size_t got = 0;

    *len = (size_t)source->len;
    *out = malloc(*len + 1);
    for (size_t at = 0; *out != NULL && at < *len; at += got) {
        if (source->read(source->user, at, *out + at, *len - at, &got) != 0 ||
            got == 0) {
            free(*out);
            return -1;
        }
    }
    return *out == NULL ? -1 : 0;
}

/* What messages may still take of the memory. */
static size_t room(const struct forwarder *fwd, const struct setup *setup)
{
    const size_t most = setup->settings.message_memory_bytes;

    return most <= fwd->held_bytes ? 0 : most - fwd->held_bytes;
}

/* The message is copied once more while its body is made. */
static int make_body(struct post *p, const struct setup *setup,
                     const struct onward_event *event,
                     const struct webhook_client *client)
{
    const size_t left = room(p->all->fwd, setup);
    const size_t len = (size_t)onward_event_source(event)->len;
    struct onward_webhook_facts facts = {
        .size = sizeof(facts),
        .hook = onward_event_handler(event),
        .from = onward_event_from(event),
        .to = onward_event_to(event),
        .helo = client->helo,
        .client_ip = client->ip,
        .verifier = onward_event_verifier(event),
        .can_be_forwarded = (size_t)onward_event_can_be_forwarded(event)};
    char *message;
    int err;

    if (len >= left)
        return ONWARD_ELIMIT;
    if (left - len < BODY_MAX)
        facts.max_bytes = left - len;
    if (read_message(event, &message, &facts.message.len) != 0)
        return -1;
    facts.message.data = message;
    err = onward_webhook_new(p->all->fwd->ctx, &facts, &p->hook);
    free(message);
    if (err == 0)
        p->held = onward_webhook_body(p->hook).len;
    p->all->fwd->held_bytes += p->held;
    return err;
}

int webhook_post(struct forwarder *fwd, const struct setup *setup,
                 uint64_t token, struct onward_event *event,
                 const struct webhook_client *client)
{
    const char *url = find_url(&setup->settings, onward_event_handler(event));
    struct webhooks *all;
    struct post *p;
    int err;

    if (url == NULL)
        return ONWARD_ENOENT;
    all = open_all(fwd);
    if (all == NULL || all->count >= POSTS_MAX)
        return -1;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -1;
    p->all = all;
    p->token = token;
    p->next = all->posts;
    p->prev = &all->posts;
    if (p->next != NULL)
        p->next->prev = &p->next;
    all->posts = p;
    all->count++;
    p->easy = curl_easy_init();
    err = p->easy == NULL ? ONWARD_ENOMEM : make_body(p, setup, event, client);
    if (err == ONWARD_ELIMIT)
        log_event(fwd, "webhook-failed",
                  "no room for its body in message_memory_bytes");
    if (err == 0 && add_fields(p, setup->webhook_config) == 0) {
        set_options(p, &setup->settings, url);
        if (curl_multi_add_handle(all->multi, p->easy) == CURLM_OK)
            return 0;
    }
    free_post(p);
    return -1;
}

void webhook_cancel(struct forwarder *fwd, uint64_t token)
{
    struct post *p = fwd->webhooks == NULL ? NULL : fwd->webhooks->posts;

    while (p != NULL && p->token != token)
        p = p->next;
    if (p != NULL)
        free_post(p);
}

int64_t webhook_deadline(const struct forwarder *fwd)
{
    return fwd->webhooks == NULL ? ONWARD_NEVER : fwd->webhooks->deadline_ms;
}

void webhook_time(struct forwarder *fwd, int64_t now_ms)
{
    struct webhooks *all = fwd->webhooks;
    int running;

    if (all == NULL || now_ms < all->deadline_ms)
        return;
    all->deadline_ms = ONWARD_NEVER;
    curl_multi_socket_action(all->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(all);
}

void webhook_close(struct forwarder *fwd)
{
    struct webhooks *all = fwd->webhooks;

    if (all == NULL)
        return;
    while (all->posts != NULL)
        free_post(all->posts);
    curl_multi_cleanup(all->multi);
    free(all);
    fwd->webhooks = NULL;
}
