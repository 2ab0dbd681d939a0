/* main.c - inventory-service: sets goods aside for an order, gives them back, takes them out. */
#include "participants/inventory/inventory_commands.h"
#include "participants/inventory/inventory_http.h"
#include "participants/inventory/stock_store.h"
#include "participants/sdk/service.h"

int main(int argc, char **argv)
{
	static struct chance chance;
	const struct option options[] = {
		{.flag = "random-fail-percent",
		 .environment = "INVENTORY_RANDOM_FAIL_PERCENT",
		 .type = OPTION_INT,
		 .default_text = "0",
		 .value_name = "N",
		 .max = 100,
		 .place = &chance.fail_percent,
		 .help = "of 100 reservations whose command does not say whether to fail, N are refused"},
		{.flag = "random-seed",
		 .environment = "INVENTORY_RANDOM_SEED",
		 .type = OPTION_INT,
		 .default_text = "2",
		 .value_name = "N",
		 .place = &chance.seed,
		 .help = "the same seed refuses the same orders"},
	};
	const struct service service = {
		.name = "inventory-service",
		.summary = "Reserves, releases and deducts stock, as sagas command.",
		.default_port = "4003",
		.options = options,
		.option_count = ARRAY_LEN(options),
		.migrations = stock_migrations,
		.migration_count = stock_migration_count,
		.handlers = inventory_handlers,
		.handler_count = inventory_handler_count,
		.fact_topics = inventory_fact_topics,
		.handle = inventory_http_handle,
		.ctx = &chance,
	};

	return service_main(&service, argc, argv);
}
