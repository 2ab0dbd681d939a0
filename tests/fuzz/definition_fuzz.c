/* definition_fuzz.c - any bytes as a saga's definition: YAML, its keys and names, and its bindings to the shop's schemas. */
#include "coordinator/definition/plan_parts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/coordinator/definition/fake_schemas.h"

static const char FILE_NAME[] = "f.yaml";

/* Every problem of the text says where in it. */
static void check_places(const struct problems *problems)
{
	for (size_t i = 0; i < problems_kept(problems); i++)
		CLAIM(strncmp(problems->items[i].place, FILE_NAME, strlen(FILE_NAME)) == 0, "no place of: %s",
		      problems->items[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct fake_schemas schemas;
	_cleanup_(plan_freep)
	struct plan *plan = NULL;
	struct problems problems;
	struct error err;

	if (schemas.count == 0) {
		fake_schemas_init(&schemas);
		fake_schemas_add_shop(&schemas);
	}
	problems_init(&problems);
	if (plan_bind(FILE_NAME, (struct bytes){data, len}, NULL, 0, &schemas.source, &plan, &problems, &err) < 0) {
		CLAIM(problems.count > 0, "refused without a reason: %s", err.msg);
		check_places(&problems);
	} else {
		CLAIM(problems.count == 0, "taken with a problem: %s", problems.items[0].text);
		CLAIM(plan->definition.step_count > 0, "a definition without steps");
	}
	problems_release(&problems);
	return 0;
}
