/*
 * shipping_commands.h - what the shipping service does for sagas.
 *
 * Rules: one shipment an order; a second one is refused (`shipment_exists`). Calling a shipment back that was never made is
 *        no error and no effect.
 */
#ifndef PARTICIPANTS_SHIPPING_SHIPPING_COMMANDS_H
#define PARTICIPANTS_SHIPPING_SHIPPING_COMMANDS_H

#include "participants/sdk/participant.h"

extern const struct command_handler shipping_handlers[];
extern const size_t shipping_handler_count;

#endif
