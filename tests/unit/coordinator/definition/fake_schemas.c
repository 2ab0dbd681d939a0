/* fake_schemas.c - see fake_schemas.h. */
#include "tests/unit/coordinator/definition/fake_schemas.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int latest(void *ctx, const char *subject, int32_t *ret_id, int32_t *ret_version,
		  const struct schema **ret_schema, struct error *err)
{
	struct fake_schemas *schemas = ctx;

	schemas->asked++;
	if (schemas->is_away)
		return error_set(err, ERR_UNAVAILABLE, "the registry does not answer");
	for (size_t i = schemas->count; i-- > 0;) {
		if (strcmp(schemas->items[i].subject, subject) != 0)
			continue;
		*ret_id = schemas->items[i].id;
		*ret_version = schemas->items[i].version;
		*ret_schema = schemas->items[i].schema;
		return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "subject '%s' not found", subject);
}

static int by_id(void *ctx, int32_t id, const struct schema **ret_schema, struct error *err)
{
	struct fake_schemas *schemas = ctx;

	schemas->asked++;
	if (schemas->is_away)
		return error_set(err, ERR_UNAVAILABLE, "the registry does not answer");
	if (id < 1 || (size_t)id > schemas->count)
		return error_set(err, ERR_NOT_FOUND, "schema %d not found", id);
	*ret_schema = schemas->items[id - 1].schema;
	return 0;
}

void fake_schemas_init(struct fake_schemas *schemas)
{
	*schemas = (struct fake_schemas){.source = {schemas, latest, by_id}};
}

void fake_schemas_release(struct fake_schemas *schemas)
{
	for (size_t i = 0; i < schemas->count; i++)
		schema_unref(schemas->items[i].schema);
	schemas->count = 0;
}

int32_t fake_schemas_add(struct fake_schemas *schemas, const char *subject, enum schema_format format, const char *text)
{
	struct problems problems;
	int32_t version = 1;

	assert(schemas->count < sizeof(schemas->items) / sizeof(schemas->items[0]));
	for (size_t i = 0; i < schemas->count; i++)
		version += strcmp(schemas->items[i].subject, subject) == 0;
	problems_init(&problems);
	if (schema_parse(format, bytes_of_text(text), NULL, 0, &schemas->items[schemas->count].schema, &problems) < 0) {
		fprintf(stderr, "%s: %s: %s\n", subject, problems.items[0].place, problems.items[0].text);
		abort();
	}
	problems_release(&problems);
	(void)snprintf(schemas->items[schemas->count].subject, sizeof(schemas->items[0].subject), "%s", subject);
	schemas->items[schemas->count].version = version;
	schemas->items[schemas->count].id = (int32_t)schemas->count + 1;
	return schemas->items[schemas->count++].id;
}

char *fake_schemas_read_file(const char *path)
{
	struct buffer text = {0};
	char full[512];
	char part[4096];
	size_t len;
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s/%s", AMENDS_SOURCE_DIR, path);
	file = fopen(full, "r");
	if (!file) {
		perror(full);
		abort();
	}
	while ((len = fread(part, 1, sizeof(part), file)) > 0)
		buffer_append(&text, part, len);
	(void)fclose(file); /* only read */
	buffer_append_byte(&text, 0);
	return (char *)text.data;
}

void fake_schemas_add_shop(struct fake_schemas *schemas)
{
	static const struct {
		const char *subject;
		const char *path;
	} files[] = {
		{"checkout-input", "checkout/v1/checkout_input.proto"},
		{"order.create.command-value", "order/v1/create_order.proto"},
		{"order.created-value", "order/v1/order_created.proto"},
		{"order.failed-value", "order/v1/order_failed.proto"},
		{"order.cancel.command-value", "order/v1/cancel_order.proto"},
		{"order.cancelled-value", "order/v1/order_cancelled.proto"},
		{"order.confirm.command-value", "order/v1/confirm_order.proto"},
		{"order.confirmed-value", "order/v1/order_confirmed.proto"},
		{"payment.charge.command-value", "payment/v1/charge_payment.proto"},
		{"payment.charged-value", "payment/v1/payment_charged.proto"},
		{"payment.failed-value", "payment/v1/payment_failed.proto"},
		{"payment.refund.command-value", "payment/v1/refund_payment.proto"},
		{"payment.refunded-value", "payment/v1/payment_refunded.proto"},
		{"inventory.reserve.command-value", "inventory/v1/reserve_inventory.avsc"},
		{"inventory.reserved-value", "inventory/v1/inventory_reserved.avsc"},
		{"inventory.failed-value", "inventory/v1/inventory_failed.avsc"},
		{"inventory.release.command-value", "inventory/v1/release_inventory.avsc"},
		{"inventory.released-value", "inventory/v1/inventory_released.avsc"},
		{"inventory.deduct.command-value", "inventory/v1/deduct_inventory.avsc"},
		{"inventory.deducted-value", "inventory/v1/inventory_deducted.avsc"},
		{"shipping.ship.command-value", "shipping/v1/ship_order.proto"},
		{"shipping.shipped-value", "shipping/v1/shipping_shipped.proto"},
		{"shipping.failed-value", "shipping/v1/shipping_failed.proto"},
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const bool is_avro = strstr(files[i].path, ".avsc") != NULL;
		char path[256];
		char *text;

		(void)snprintf(path, sizeof(path), "proto/shop/%s", files[i].path);
		text = fake_schemas_read_file(path);
		(void)fake_schemas_add(schemas, files[i].subject, is_avro ? SCHEMA_FORMAT_AVRO : SCHEMA_FORMAT_PROTOBUF,
				       text);
		free(text);
	}
}
