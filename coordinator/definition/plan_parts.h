/*
 * plan_parts.h - the inside of a plan: shared by what binds it (binding.c) and what uses it (plan.c).
 */
#ifndef COORDINATOR_DEFINITION_PLAN_PARTS_H
#define COORDINATOR_DEFINITION_PLAN_PARTS_H

#include "coordinator/definition/plan.h"
#include "coordinator/definition/schema_source.h"

/* Where one field of a command comes from. */
struct plan_fill {
	struct schema_field target;
	const struct value *literal; /* NULL: a path */
	int32_t step;                /* whose forward reply; -1: the input */
	const char *const *path;
	size_t path_len;
};

/* The plan and what it is made of. */
struct plan_memory {
	struct plan plan; /* first: a plan's address is its memory's */
	struct arena arena;
	struct schema_source schemas; /* for replies in later versions of their schema */
};

/* As plan_compile(), with schemas from anywhere. The source must live as long as the plan. */
NODISCARD int plan_bind(const char *file_name, struct bytes source, const struct plan_pin *pins, size_t pin_count,
			const struct schema_source *schemas, struct plan **ret_plan, struct problems *problems,
			struct error *err);

#endif
