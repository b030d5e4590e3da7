#ifndef ONWARD_SMTP_SERVER_H
#define ONWARD_SMTP_SERVER_H

#include <onward/smtp_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * To be written.
 */

#ifdef __cplusplus
}
#endif

#endif
