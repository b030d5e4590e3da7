#ifndef ONWARD_STORE_H
#define ONWARD_STORE_H

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
