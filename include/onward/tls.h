#ifndef ONWARD_TLS_H
#define ONWARD_TLS_H

#include <onward/core.h>

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
