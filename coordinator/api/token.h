/*
 * token.h - page tokens and positions: texts that clients hand back and must not make or change themselves.
 *
 * Form:       base64 of kind, content, and a checksum over both and what the token is bound to (the filter and order of
 *             its list), so that a token of another request is told from this one's. It is no secret and no signature.
 */
#ifndef COORDINATOR_API_TOKEN_H
#define COORDINATOR_API_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

enum token_kind { TOKEN_LIST = 1, TOKEN_LOG, TOKEN_POSITION };

/* A digest of what a token is bound to, field after field. */
uint64_t token_binding(void);
uint64_t token_bind(uint64_t binding, struct bytes field);

char *token_make(enum token_kind kind, uint64_t binding, struct bytes content, struct arena *arena);
/* True when it is such a token, whose content has exactly `len` bytes. */
bool token_read(enum token_kind kind, uint64_t binding, const char *text, void *ret_content, size_t len);

#endif
