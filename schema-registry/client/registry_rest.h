/*
 * registry_rest.h - requests to a registry and what its answers mean; no cache.
 *
 * Addresses: several, separated by commas, are one registry: one that is away or answers 5xx is passed over, and the one that
 *            answered last is asked first. `http://user:password@host` is basic authentication; no message shows it.
 * Threads:   any; each request takes an idle connection, or opens one.
 * Ownership: answers are the caller's.
 */
#ifndef SCHEMA_REGISTRY_CLIENT_REGISTRY_REST_H
#define SCHEMA_REGISTRY_CLIENT_REGISTRY_REST_H

#include <jansson.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/security/client_security.h"

struct registry_rest;

struct registry_rest *registry_rest_new(const char *urls, int64_t timeout_ms, const struct client_security *security);
void registry_rest_free(struct registry_rest *rest);
const char *registry_rest_name(const struct registry_rest *rest); /* its URLs, without credentials */

/* *ret_answer is the JSON of a 2xx answer. A path begins with a slash; of GET it may have a name in it, which is escaped:
 * `before`, the name, `after`. */
NODISCARD int registry_rest_get(struct registry_rest *rest, const char *before, const char *name, const char *after,
				json_t **ret_answer, struct error *err);
/* `words`: where the registry's own words go, in full, when it refuses; NULL: nowhere. */
NODISCARD int registry_rest_post(struct registry_rest *rest, const char *path, const json_t *body, struct buffer *words,
				 json_t **ret_answer, struct error *err);
/* An id or a version in an answer; ERR_CORRUPT: there is none. */
NODISCARD int registry_rest_number(const json_t *answer, const char *key, int32_t *ret_number, struct error *err);

#endif
