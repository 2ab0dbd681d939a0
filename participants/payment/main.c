/* main.c - payment-service: takes the money of an order, and gives it back. */
#include "participants/payment/payment_commands.h"
#include "participants/payment/payment_http.h"
#include "participants/payment/payment_store.h"
#include "participants/sdk/service.h"

int main(int argc, char **argv)
{
	static struct chance chance;
	const struct option options[] = {
		{.flag = "random-fail-percent",
		 .environment = "PAYMENT_RANDOM_FAIL_PERCENT",
		 .type = OPTION_INT,
		 .default_text = "0",
		 .value_name = "N",
		 .max = 100,
		 .place = &chance.fail_percent,
		 .help = "of 100 payments whose command does not say whether to fail, N are declined"},
		{.flag = "random-seed",
		 .environment = "PAYMENT_RANDOM_SEED",
		 .type = OPTION_INT,
		 .default_text = "1",
		 .value_name = "N",
		 .place = &chance.seed,
		 .help = "the same seed declines the same orders"},
	};
	const struct service service = {
		.name = "payment-service",
		.summary = "Takes the money of an order and gives it back, as sagas command.",
		.default_port = "4002",
		.options = options,
		.option_count = ARRAY_LEN(options),
		.migrations = payment_migrations,
		.migration_count = payment_migration_count,
		.handlers = payment_handlers,
		.handler_count = payment_handler_count,
		.handle = payment_http_handle,
		.ctx = &chance,
	};

	return service_main(&service, argc, argv);
}
