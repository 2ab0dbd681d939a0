/* input_match.c - see input_match.h. */
#include "coordinator/definition/input_match.h"

#include "schema-registry/codec/codec.h"

/* Whether `input`, written by the other plan's schema, is `wanted`. */
static bool gives(const struct plan *plan, struct bytes input, const struct plan *other, struct bytes wanted)
{
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	_cleanup_(buffer_release)
	struct buffer written = {0};
	struct problems problems;
	struct value value;
	struct error ignored;
	bool is_same;

	if (codec_decode(plan->input->type, input, &tree, &value, &ignored) < 0)
		return false;
	problems_init(&problems);
	is_same = codec_encode(other->input->type, &value, "", &written, &problems) == 0 &&
		  bytes_equal(buffer_bytes(&written), wanted);
	problems_release(&problems);
	return is_same;
}

bool input_match(const struct plan *plan, struct bytes input, const struct plan *other, struct bytes other_input)
{
	if (bytes_equal(input, other_input))
		return true;
	if (plan == other || plan->input->schema_id == other->input->schema_id)
		return false;
	return gives(plan, input, other, other_input) || gives(other, other_input, plan, input);
}
