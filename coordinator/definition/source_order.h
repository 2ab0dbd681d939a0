/*
 * source_order.h - which steps come after which: the `after` of a step, and what the kinds demand of it. Inside definition/.
 */
#ifndef COORDINATOR_DEFINITION_SOURCE_ORDER_H
#define COORDINATOR_DEFINITION_SOURCE_ORDER_H

#include "coordinator/definition/source.h"
#include "coordinator/definition/source_reader.h"

/* Index of the step with this id among those read so far; -1: none has it. */
int32_t source_find_step(const struct source *source, const char *id, size_t len);
/* The id that was probably meant; NULL: none is near. */
const char *source_nearest_step(const struct source *source, const char *id, size_t len);
/* Is step `before` done, by the order, when step `index` begins? */
bool source_is_before(const struct source *source, int32_t before, int32_t index);

/* `after`, a list of ids of steps above; NULL: the step above. */
void source_read_after(struct source_reader *reader, const struct yaml_node *after, struct source *source,
		       int32_t index);
/* compensatable* pivot? retriable*, each kind after all steps of the one before. */
void source_check_order(struct source_reader *reader, const struct source *source, int32_t index);

#endif
