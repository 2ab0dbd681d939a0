/*
 * inventory_commands.h - what the inventory service does for sagas.
 *
 * Rules: a reservation takes all of its goods or none; the commands of a batch are served in the order they came. An
 *        order has one reservation; a second one is refused (`reservation_exists`). A refusal leaves a FAILED row.
 */
#ifndef PARTICIPANTS_INVENTORY_INVENTORY_COMMANDS_H
#define PARTICIPANTS_INVENTORY_INVENTORY_COMMANDS_H

#include "participants/sdk/chance.h"
#include "participants/sdk/participant.h"

/* The handlers' ctx is a struct chance. */
extern const struct command_handler inventory_handlers[];
extern const size_t inventory_handler_count;

#endif
