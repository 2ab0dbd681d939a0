/* assertion.c - see assertion.h. */
#include "coordinator/check/assertion.h"

#include <ctype.h>
#include <string.h>

#include "coordinator/check/violation.h"
#include "coordinator/definition/yaml.h"
#include "lib/base/memory.h"

struct reader {
	const char *file_name;
	struct arena *arena;
	struct problems *problems;
};

#define COMPLAIN(reader, node, ...) yaml_problem((reader)->problems, (reader)->file_name, (node)->mark, __VA_ARGS__)

static bool is_expected(const struct reader *reader, const struct yaml_node *node, enum yaml_kind kind)
{
	if (node->kind == kind)
		return true;
	COMPLAIN(reader, node, "must be %s, is %s", yaml_kind_name(kind), yaml_kind_name(node->kind));
	return false;
}

/* The value of a key; NULL: it is not there, which is a problem where it must be. */
static const struct yaml_node *find(const struct reader *reader, const struct yaml_node *map, const char *key,
				    bool is_required)
{
	for (const struct yaml_node *at = map->first; at; at = at->next)
		if (strcmp(at->text, key) == 0)
			return at->value;
	if (is_required)
		COMPLAIN(reader, map, "'%s' is missing", key);
	return NULL;
}

static void refuse_others(const struct reader *reader, const struct yaml_node *map, const char *const *keys,
			  size_t count)
{
	for (const struct yaml_node *at = map->first; at; at = at->next) {
		bool is_known = false;

		for (size_t i = 0; i < count; i++)
			is_known |= strcmp(at->text, keys[i]) == 0;
		if (!is_known)
			COMPLAIN(reader, at, "unknown key '%s'", at->text);
	}
}

static const char *read_text(const struct reader *reader, const struct yaml_node *map, const char *key,
			     bool is_required)
{
	const struct yaml_node *node = find(reader, map, key, is_required);

	if (!node || !is_expected(reader, node, YAML_SCALAR))
		return NULL;
	if (*node->text == 0)
		COMPLAIN(reader, node, "'%s' is empty", key);
	return node->text;
}

/* Without what ends a statement: it becomes part of another. */
static const char *bare_sql(const struct reader *reader, const char *sql)
{
	size_t len = strlen(sql);

	while (len > 0 && (isspace((unsigned char)sql[len - 1]) || sql[len - 1] == ';'))
		len--;
	return arena_strndup(reader->arena, sql, len);
}

static struct assertion_query read_query(const struct reader *reader, const struct yaml_node *node,
					 enum assertion_kind kind)
{
	static const char *const keys[] = {"database", "sql"};
	struct assertion_query query = {0};
	const char *sql;

	if (!is_expected(reader, node, YAML_MAP))
		return query;
	refuse_others(reader, node, keys, ARRAY_LEN(keys));
	query.database = read_text(reader, node, "database", true);
	sql = read_text(reader, node, "sql", true);
	if (!sql)
		return query;
	/* The line break ends a comment. Sums are compared as texts, so they have one form: 10, not 10.00. */
	query.sql = kind == ASSERTION_NONE
			    ? arena_format(reader->arena, "SELECT to_jsonb(q)::text FROM (%s\n) AS q LIMIT 101",
					   bare_sql(reader, sql))
			    : arena_format(reader->arena,
					   "SELECT key::text COLLATE \"C\", trim_scale(sum(value)::numeric)::text FROM "
					   "(%s\n) AS q(key, value) GROUP BY 1 HAVING sum(value) <> 0 ORDER BY 1",
					   bare_sql(reader, sql));
	return query;
}

static void read_sides(const struct reader *reader, const struct yaml_node *node, struct assertion *assertion)
{
	size_t count = 0;

	assertion->kind = ASSERTION_EQUAL;
	if (!is_expected(reader, node, YAML_LIST))
		return;
	if (node->count != ASSERTION_SIDES)
		COMPLAIN(reader, node, "'equal' compares two queries, not %zu", node->count);
	for (const struct yaml_node *at = node->first; at && count < ASSERTION_SIDES; at = at->next)
		assertion->queries[count++] = read_query(reader, at, ASSERTION_EQUAL);
}

static int read_invariant(const struct reader *reader, const struct yaml_node *map)
{
	const char *text = read_text(reader, map, "invariant", false);

	for (int i = 1; text && i < INVARIANT_COUNT; i++)
		if (strcmp(text, arena_format(reader->arena, "I%d", i)) == 0)
			return i;
	if (text)
		COMPLAIN(reader, find(reader, map, "invariant", true), "'%s' is no invariant: I1 to I%d", text,
			 INVARIANT_COUNT - 1);
	return 2;
}

static struct assertion read_assertion(const struct reader *reader, const struct yaml_node *map)
{
	static const char *const keys[] = {"name", "invariant", "advice", "saga", "none", "equal"};
	struct assertion assertion = {0};
	const struct yaml_node *none;
	const struct yaml_node *equal;

	refuse_others(reader, map, keys, ARRAY_LEN(keys));
	assertion.name = read_text(reader, map, "name", true);
	assertion.invariant = read_invariant(reader, map);
	assertion.advice = read_text(reader, map, "advice", false);
	assertion.saga = read_text(reader, map, "saga", false);
	none = find(reader, map, "none", false);
	equal = find(reader, map, "equal", false);
	if (!none == !equal)
		COMPLAIN(reader, map, "must have one of 'none' and 'equal'");
	if (none)
		assertion.queries[0] = read_query(reader, none, ASSERTION_NONE);
	if (equal)
		read_sides(reader, equal, &assertion);
	if (none && assertion.saga)
		COMPLAIN(reader, map, "'saga' goes with 'equal': 'none' is asked once, of all rows");
	return assertion;
}

void assertion_parse(const char *file_name, struct bytes text, struct arena *arena, struct assertion_list *ret_list,
		     struct problems *problems)
{
	static const char *const keys[] = {"assertions"};
	const struct reader reader = {file_name, arena, problems};
	const struct yaml_node *root = yaml_parse(file_name, text, arena, problems);
	const struct yaml_node *items;
	struct assertion_list list = {0};

	*ret_list = list;
	if (!root || !is_expected(&reader, root, YAML_MAP))
		return;
	refuse_others(&reader, root, keys, ARRAY_LEN(keys));
	items = find(&reader, root, "assertions", true);
	if (!items || !is_expected(&reader, items, YAML_LIST))
		return;
	list.items = arena_zalloc(arena, (items->count + 1) * sizeof(*list.items));
	for (const struct yaml_node *at = items->first; at; at = at->next)
		if (is_expected(&reader, at, YAML_MAP))
			list.items[list.count++] = read_assertion(&reader, at);
	*ret_list = list;
}
