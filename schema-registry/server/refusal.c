/* refusal.c - see refusal.h. */
#include "schema-registry/server/refusal.h"

#include <assert.h>

static const struct {
	int error_code;
	int status;
} numbers[REFUSAL_COUNT] = {
#define REFUSAL_NUMBERS(name, error_code, status) [REFUSAL_##name] = {error_code, status},
	REFUSALS(REFUSAL_NUMBERS)
#undef REFUSAL_NUMBERS
};

int refusal_error_code(enum refusal_code code)
{
	assert(code < REFUSAL_COUNT);
	return numbers[code].error_code;
}

int refusal_status(enum refusal_code code)
{
	assert(code < REFUSAL_COUNT);
	return numbers[code].status;
}
