#ifndef ONWARD_H
#define ONWARD_H

/** @file
 * Every module of libonward, for a quick start. A program that wants one
 * standard only includes <onward/MODULE.h>, which is complete on its own.
 */

#include <onward/core.h>
#include <onward/channel.h>
#include <onward/store.h>
#include <onward/address.h>
#include <onward/key.h>
#include <onward/mime.h>
#include <onward/mime_builder.h>
#include <onward/mime_report.h>
#include <onward/mime_text.h>
#include <onward/mime_parser.h>
#include <onward/dns.h>
#include <onward/tls.h>
#include <onward/token.h>
#include <onward/srs.h>
#include <onward/throttle.h>
#include <onward/spf.h>
#include <onward/dkim.h>
#include <onward/authres.h>
#include <onward/smtp.h>
#include <onward/dnslist.h>
#include <onward/ruleset.h>
#include <onward/arc.h>
#include <onward/dmarc.h>
#include <onward/dmarc_report.h>
#include <onward/mtasts.h>
#include <onward/dsn.h>
#include <onward/dane.h>
#include <onward/tlsrpt.h>
#include <onward/tlsrpt_collector.h>
#include <onward/verify.h>
#include <onward/egress.h>
#include <onward/handler.h>
#include <onward/relay.h>
#include <onward/relay_event.h>
#include <onward/webhook.h>

#endif
