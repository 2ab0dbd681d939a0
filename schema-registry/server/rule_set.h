/*
 * rule_set.h - the rules of a data contract: what is wrong with them, and how two sets become one.
 *
 * Why:        this registry keeps rules for clients that execute them; a client that meets a broken set fails far from
 *             who wrote it, so it is refused when it is written.
 */
#ifndef SCHEMA_REGISTRY_SERVER_RULE_SET_H
#define SCHEMA_REGISTRY_SERVER_RULE_SET_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/bytes.h"

/* False: `problem` says what is wrong. */
bool rule_set_check(const json_t *rule_set, struct buffer *problem);

/* Some clients write what is absent as null, in rules as well; both are the same. */
void contract_drop_nulls(json_t *contract);

/*
 * Two rule sets, or two metadata, as one; `over` wins. Maps are joined by key, rules by name, other lists by value. Either
 * may be NULL; the caller owns the result, which is NULL where both are.
 */
json_t *contract_merge(const json_t *under, const json_t *over);

#endif
