/*
 * payment_commands.h - what the payment service does for sagas.
 *
 * Rules:  one payment an order; a second one is refused (`payment_exists`). The gateway is simulated: it accepts, unless
 *         the command says `force_fail`, or chance does where it is turned on. A refund or a cancellation moves the whole
 *         amount, and a cancellation of money that was taken meanwhile gives it back.
 */
#ifndef PARTICIPANTS_PAYMENT_PAYMENT_COMMANDS_H
#define PARTICIPANTS_PAYMENT_PAYMENT_COMMANDS_H

#include "participants/sdk/chance.h"
#include "participants/sdk/participant.h"

/* The handlers' ctx is a struct chance. */
extern const struct command_handler payment_handlers[];
extern const size_t payment_handler_count;

#endif
