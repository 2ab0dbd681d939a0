/*
 * rpc_details.h - what a server says about a failure beyond one line: each wrong field, and when to come back.
 *
 * Ownership:  `details` is the google.rpc.Status of struct rpc_failure; it may be empty or anything, it comes from outside.
 */
#ifndef LIB_RPC_RPC_DETAILS_H
#define LIB_RPC_RPC_DETAILS_H

#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/problems.h"

/* Adds every field violation of every google.rpc.BadRequest to `problems`; none where there are none. */
void rpc_details_add_problems(struct bytes details, struct problems *problems);

/* The delay of the first google.rpc.RetryInfo; -1: none was given. */
int64_t rpc_details_retry_after_ms(struct bytes details);

#endif
