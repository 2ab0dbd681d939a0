/*
 * source_wait.h - `wait` of a step: the signal, the event, or the time that it waits for. Inside definition/.
 */
#ifndef COORDINATOR_DEFINITION_SOURCE_WAIT_H
#define COORDINATOR_DEFINITION_SOURCE_WAIT_H

#include "coordinator/definition/source.h"
#include "coordinator/definition/source_reader.h"

/* `source`: the steps read so far, of which `step` is one. */
void source_read_wait(struct source_reader *reader, const struct yaml_node *wait, const struct source *source,
		      struct source_step *step);

#endif
