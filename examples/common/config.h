/*
 * Configuration files: `key = value` lines, `#` comments. Every fault is said
 * as FILE:LINE: what, expected what.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>

enum config_type {
    CONFIG_TEXT,   /* char *: anything but nothing */
    CONFIG_LIST,   /* struct config_list: the key may stand several times */
    CONFIG_FILE,   /* char *: a path; relative ones are to the file's folder */
    CONFIG_NUMBER, /* size_t: from min to max */
    CONFIG_YES_NO, /* bool */
    CONFIG_CHOICE  /* size_t: index into choices */
};

struct config_list {
    char **items;
    size_t count;
};

struct config_key {
    const char *name;
    enum config_type type;
    void *value;     /* holds the default before; what is set is malloc()ed */
    size_t min, max; /* of a number */
    const char *const *choices; /* NULL at the end */
    /* Of a text and each item of a list: NULL when it will do, else what was
     * expected. May be NULL itself. */
    const char *(*judge)(const char *value);
    /* Of a list whose items are words and a path: how many words stand before
     * it. 0: no path. */
    size_t words;
    bool is_required;
    size_t line; /* out: where it stands; 0: nowhere */
};

/*
 * Read a file into its keys; keys ends with an empty name. 0, or -1 with one
 * line in fault.
 */
int config_read(const char *path, struct config_key *keys, char *fault,
                size_t fault_size);
/* The same, for who needs some keys of another program's file: those that are
 * not in the table are passed over. */
int config_read_some(const char *path, struct config_key *keys, char *fault,
                     size_t fault_size);
/* Why a program cannot start: one line, and its exit status. */
struct config_fault {
    char *text;
    size_t size; /* of text */
    int status;
};

/* Always -1. */
int config_wrong(struct config_fault *fault, int status, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

/* For judge: a host name in A-labels. */
const char *config_host_name(const char *value);
/* A resolver as libunbound takes it: "192.0.2.53", "::1@5353". */
const char *config_resolver(const char *value);
/* Who we are in Authentication-Results, with no need of quotes. */
const char *config_authserv_id(const char *value);
/* Of DKIM and ARC. */
const char *config_selector(const char *value);
/* What is done with p=reject: service, rfc9989 or never; and which that is in
 * enum onward_dmarc_reject. NULL is service. */
const char *config_dmarc_reject(const char *value);
size_t config_dmarc_reject_policy(const char *word);

/* The line at which a key was set; 0: it was not. */
size_t config_line(const struct config_key *keys, const char *name);
/* Free what was set. */
void config_clear(struct config_key *keys);

#endif
