/*
 * completion_names.h - names that only the coordinator knows, for completion.
 *
 * Guarantees: silence and no candidates within a second when it does not answer; a shell is waiting.
 */
#ifndef CLI_COMPLETION_NAMES_H
#define CLI_COMPLETION_NAMES_H

#include <stddef.h>

typedef void completion_offer_fn(const char *prefix, const char *candidate, size_t len, const char *description);

void completion_names_offer_definitions(const char *prefix, completion_offer_fn *offer);
void completion_names_offer_sagas(const char *prefix, completion_offer_fn *offer); /* the newest, with their states */

#endif
