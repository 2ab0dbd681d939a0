/* main.c - shipping-service: sends the goods of a confirmed order. */
#include "participants/sdk/service.h"
#include "participants/shipping/shipment_store.h"
#include "participants/shipping/shipping_commands.h"
#include "participants/shipping/shipping_http.h"

int main(int argc, char **argv)
{
	const struct service service = {
		.name = "shipping-service",
		.summary = "Sends the goods of an order and calls them back, as sagas command.",
		.default_port = "4004",
		.migrations = shipment_migrations,
		.migration_count = shipment_migration_count,
		.handlers = shipping_handlers,
		.handler_count = shipping_handler_count,
		.handle = shipping_http_handle,
	};

	return service_main(&service, argc, argv);
}
