/*
 * fake_schemas.h - a schema source for tests: subjects and ids in a table, schemas parsed by the real parser.
 */
#ifndef TESTS_UNIT_COORDINATOR_DEFINITION_FAKE_SCHEMAS_H
#define TESTS_UNIT_COORDINATOR_DEFINITION_FAKE_SCHEMAS_H

#include "coordinator/definition/schema_source.h"

struct fake_schemas {
	struct schema_source source;
	struct {
		char subject[128];
		int32_t id;
		int32_t version;
		struct schema *schema;
	} items[64];
	size_t count;
	size_t asked; /* look-ups so far */
	bool is_away; /* the registry does not answer */
};

void fake_schemas_init(struct fake_schemas *schemas);
void fake_schemas_release(struct fake_schemas *schemas);
/* The next version of the subject; ids count from 1. Answers the id. */
int32_t fake_schemas_add(struct fake_schemas *schemas, const char *subject, enum schema_format format,
			 const char *text);
/* All that proto/shop/subjects.yaml names for the checkout. */
void fake_schemas_add_shop(struct fake_schemas *schemas);
/* A file of the repository; the caller frees it. */
char *fake_schemas_read_file(const char *path);

#endif
