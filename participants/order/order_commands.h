/*
 * order_commands.h - what the order service does for sagas.
 *
 * Rules: an order id is used once: creating it again is refused (`order_exists`). A cancelled order cannot be confirmed;
 *        confirming a confirmed one again is no error. A cancellation always succeeds.
 */
#ifndef PARTICIPANTS_ORDER_ORDER_COMMANDS_H
#define PARTICIPANTS_ORDER_ORDER_COMMANDS_H

#include "participants/sdk/participant.h"

extern const struct command_handler order_handlers[];
extern const size_t order_handler_count;

#endif
