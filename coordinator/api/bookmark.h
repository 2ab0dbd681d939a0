/*
 * bookmark.h - page tokens and positions: texts that clients hand back and must not make or change themselves.
 *
 * Form:       base64 of kind, content, and a checksum over both and what the bookmark is bound to (the filter and order
 *             of its list), so that that of another request is told from this one's. It is no secret and no signature.
 */
#ifndef COORDINATOR_API_BOOKMARK_H
#define COORDINATOR_API_BOOKMARK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

enum bookmark_kind { BOOKMARK_LIST = 1, BOOKMARK_LOG, BOOKMARK_POSITION, BOOKMARK_STUCK };

/* A digest of what a bookmark is bound to, field after field. */
uint64_t bookmark_binding(void);
uint64_t bookmark_bind(uint64_t binding, struct bytes field);

char *bookmark_make(enum bookmark_kind kind, uint64_t binding, struct bytes content, struct arena *arena);
/* True when it is such a bookmark, whose content has exactly `len` bytes. */
bool bookmark_read(enum bookmark_kind kind, uint64_t binding, const char *text, void *ret_content, size_t len);

#endif
