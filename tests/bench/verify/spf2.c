/* The peer for SPF: libspf2 over its zone resolver. */
#define _DEFAULT_SOURCE
#include <stdbool.h>
#include <sys/types.h>

#include <netinet/in.h>

#include <spf2/spf.h>
#include <spf2/spf_dns_zone.h>

#include "bench/worker.h"

static SPF_server_t *server;

static void check(void *arg)
{
    SPF_request_t *request = SPF_request_new(server);
    SPF_response_t *response = NULL;

    (void)arg;
    if (request == NULL ||
        SPF_request_set_ipv4_str(request, "192.0.2.200") != SPF_E_SUCCESS ||
        SPF_request_set_helo_dom(request, "out.a.example") != SPF_E_SUCCESS ||
        SPF_request_set_env_from(request, "ann@a.example") != 0)
        bench_die("libspf2: request");
    SPF_request_query_mailfrom(request, &response);
    if (response == NULL || SPF_response_result(response) != SPF_RESULT_PASS)
        bench_die("libspf2: SPF is not pass");
    SPF_response_free(response);
    SPF_request_free(request);
}

/* Lines `name 3600 IN TXT "..." "..."`: SPF records only. */
static void load(SPF_dns_server_t *zone, char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        char *rdata = strstr(line, " 3600 IN TXT ");
        char joined[1000];
        size_t len = 0;
        bool is_inside = false;

        if (rdata == NULL || strstr(rdata, "v=spf1") == NULL)
            continue;
        *rdata = '\0';
        for (char *p = rdata + 13; *p != '\0'; p++) {
            if (*p == '"')
                is_inside = !is_inside;
            else if (is_inside && len + 1 < sizeof(joined))
                joined[len++] = *p;
        }
        joined[len] = '\0';
        if (SPF_dns_zone_add_str(zone, line, ns_t_txt, NETDB_SUCCESS, joined) !=
            SPF_E_SUCCESS)
            bench_die("libspf2: zone");
    }
}

int main(int argc, char **argv)
{
    const struct bench_job jobs[] = {{"spf", check, NULL}};
    SPF_dns_server_t *zone;
    size_t len;

    if (argc != 2)
        bench_die("usage: bench_verify_spf2 FOLDER");
    zone = SPF_dns_zone_new(NULL, "zone", 0);
    if (zone == NULL)
        bench_die("libspf2: no resolver");
    load(zone, bench_read(argv[1], "zone", &len));
    server = SPF_server_new_dns(zone, 0);
    if (server == NULL)
        bench_die("libspf2: no server");
    return bench_serve(jobs, 1);
}
