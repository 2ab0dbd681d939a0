/* role.c - see role.h. */
#include "lib/security/role.h"

#include <assert.h>
#include <string.h>

/* `allows`: the role itself and all that it includes. */
static const struct {
	const char *name;
	role_set allows;
} roles[ROLE_COUNT] = {
	[ROLE_ANYBODY] = {"anybody", ROLE_BIT(ROLE_ANYBODY)},
	[ROLE_VIEWER] = {"viewer", ROLE_BIT(ROLE_VIEWER)},
	[ROLE_STARTER] = {"starter", ROLE_BIT(ROLE_STARTER) | ROLE_BIT(ROLE_VIEWER)},
	[ROLE_OPERATOR] = {"operator", ROLE_BIT(ROLE_OPERATOR) | ROLE_BIT(ROLE_STARTER) | ROLE_BIT(ROLE_VIEWER)},
	[ROLE_SCHEMA_READER] = {"schema-reader", ROLE_BIT(ROLE_SCHEMA_READER)},
	[ROLE_SCHEMA_WRITER] = {"schema-writer", ROLE_BIT(ROLE_SCHEMA_WRITER) | ROLE_BIT(ROLE_SCHEMA_READER)},
	[ROLE_ADMIN] = {"admin", (1u << ROLE_COUNT) - 1},
};

const char *role_name(enum role role)
{
	assert(role < ROLE_COUNT);
	return roles[role].name;
}

bool role_parse(const char *text, size_t len, enum role *ret_role)
{
	for (int role = ROLE_ANYBODY + 1; role < ROLE_COUNT; role++) {
		if (strlen(roles[role].name) == len && memcmp(roles[role].name, text, len) == 0) {
			*ret_role = (enum role)role;
			return true;
		}
	}
	return false;
}

bool role_is_enough(role_set given, enum role needed)
{
	assert(needed < ROLE_COUNT);
	if (needed == ROLE_ANYBODY)
		return true;
	for (int role = ROLE_ANYBODY + 1; role < ROLE_COUNT; role++) {
		if ((given & ROLE_BIT(role)) && (roles[role].allows & ROLE_BIT(needed)))
			return true;
	}
	return false;
}
