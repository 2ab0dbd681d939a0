/* main.c - order-service: keeps the orders; creates, confirms and cancels them as sagas command, and over HTTP. */
#include "participants/order/order_commands.h"
#include "participants/order/order_http.h"
#include "participants/order/order_store.h"
#include "participants/sdk/service.h"

int main(int argc, char **argv)
{
	const struct service service = {
		.name = "order-service",
		.summary = "Keeps the orders; creates, confirms and cancels them as sagas command.",
		.default_port = "4001",
		.migrations = order_migrations,
		.migration_count = order_migration_count,
		.handlers = order_handlers,
		.handler_count = order_handler_count,
		.handle = order_http_handle,
	};

	return service_main(&service, argc, argv);
}
