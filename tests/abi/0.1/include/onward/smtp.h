#ifndef ONWARD_SMTP_H
#define ONWARD_SMTP_H

/** @file
 * SMTP (RFC 5321 and its extensions): the server session, the client session,
 * and what they share.
 */

#include <onward/smtp_auth.h>
#include <onward/smtp_client.h>
#include <onward/smtp_common.h>
#include <onward/smtp_server.h>

#endif
