/* json_fuzz.c - any bytes as JSON of a shop's customer or of sagactl's user: strict, and the same again when it is printed. */
#include "lib/rpc/json_struct.h"
#include "participants/checkout/checkout_request.h"
#include "tests/fuzz/fuzz.h"

static void read_checkout(struct bytes body, struct arena *arena)
{
	struct checkout_request request;
	struct problems problems;

	problems_init(&problems);
	if (checkout_request_parse(arena, body, &request, &problems) < 0) {
		CLAIM(problems.count > 0, "refused without a reason");
	} else {
		CLAIM(request.item_count <= CHECKOUT_ITEMS_MAX, "%zu items", request.item_count);
		for (size_t i = 0; i < request.item_count; i++)
			CLAIM(request.items[i].quantity > 0 && request.items[i].quantity <= CHECKOUT_QUANTITY_MAX,
			      "quantity %d", request.items[i].quantity);
	}
	problems_release(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer first = {0};
	_cleanup_(buffer_release)
	struct buffer second = {0};
	struct bytes bytes = {data, len};
	struct json_node *root;
	struct error err;

	read_checkout(bytes, &arena);
	if (json_tree_parse(&arena, bytes, &root, &err) < 0 || root->kind != JSON_OBJECT)
		return 0;
	json_struct_append(&first, json_struct_of_tree(&arena, root));
	CLAIM(json_tree_parse(&arena, buffer_bytes(&first), &root, &err) == 0, "printed, but not parsed: %s: %s",
	      err.msg, buffer_text(&first));
	json_struct_append(&second, json_struct_of_tree(&arena, root));
	CLAIM(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)), "printed differently the second time: %s",
	      buffer_text(&first));
	return 0;
}
