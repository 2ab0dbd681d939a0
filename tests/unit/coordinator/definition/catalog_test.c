/* catalog_test.c - what is registered is found, stored once, and read back bound to the schemas it was pinned to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/definition/catalog.h"
#include "tests/unit/coordinator/definition/fake_schemas.h"

/* A store in memory, which several catalogs may share, as instances share Postgres. */
struct fake_store {
	struct stored_definition items[16];
	size_t count;
	struct arena arena;
	bool is_away;
};

struct fixture {
	struct fake_schemas schemas;
	struct fake_store store;
	struct definition_port port;
	struct catalog *catalog;
	const char *creator; /* of what is uploaded next */
	struct arena arena;
	struct problems problems;
	struct error err;
};

static int fake_put(void *ctx, const struct stored_definition *definition, int32_t *ret_id, int32_t *ret_version,
		    int64_t *ret_created_us, bool *ret_created, struct error *err)
{
	struct fake_store *store = ctx;
	struct stored_definition *item = NULL;

	if (store->is_away)
		return error_set(err, ERR_UNAVAILABLE, "the store does not answer");
	for (size_t i = 0; i < store->count; i++)
		if (strcmp(store->items[i].name, definition->name) == 0)
			item = &store->items[i];
	*ret_created = !item || strcmp(item->source, definition->source) != 0;
	if (*ret_created) {
		const int32_t version = item ? item->version + 1 : 1;

		item = &store->items[store->count++];
		*item = (struct stored_definition){
			.id = (int32_t)store->count,
			.name = arena_strdup(&store->arena, definition->name),
			.version = version,
			.source = arena_strdup(&store->arena, definition->source),
			.created_us = 1000 + version,
			.creator = definition->creator,
			.pins = arena_copy(&store->arena, definition->pins,
					   definition->pin_count * sizeof(*definition->pins)),
			.pin_count = definition->pin_count,
		};
		for (size_t i = 0; i < item->pin_count; i++)
			item->pins[i].subject = arena_strdup(&store->arena, item->pins[i].subject);
	}
	*ret_id = item->id;
	*ret_version = item->version;
	*ret_created_us = item->created_us;
	return 0;
}

static int fake_load(void *ctx, int32_t after_id, struct arena *arena, struct stored_definition **ret_definitions,
		     size_t *ret_count, struct error *err)
{
	struct fake_store *store = ctx;

	if (store->is_away)
		return error_set(err, ERR_UNAVAILABLE, "the store does not answer");
	*ret_count = store->count - (size_t)after_id;
	*ret_definitions = arena_copy(arena, store->items + after_id, *ret_count * sizeof(*store->items));
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static const char message[] = "syntax = \"proto3\"; message M { string id = 1; }";

	fake_schemas_init(&f->schemas);
	arena_init(&f->store.arena, 0);
	arena_init(&f->arena, 0);
	problems_init(&f->problems);
	f->port = (struct definition_port){&f->store, fake_put, fake_load};
	f->creator = "ann";
	f->catalog = catalog_new_with(&f->port, &f->schemas.source);
	(void)fake_schemas_add(&f->schemas, "in", SCHEMA_FORMAT_PROTOBUF, message);
	(void)fake_schemas_add(&f->schemas, "c-value", SCHEMA_FORMAT_PROTOBUF, message);
	(void)fake_schemas_add(&f->schemas, "r1-value", SCHEMA_FORMAT_PROTOBUF, message);
	(void)fake_schemas_add(&f->schemas, "r2-value", SCHEMA_FORMAT_PROTOBUF, message);
	(void)fake_schemas_add(&f->schemas, "undo-value", SCHEMA_FORMAT_PROTOBUF, message);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	catalog_free(f->catalog);
	fake_schemas_release(&f->schemas);
	arena_release(&f->store.arena);
	arena_release(&f->arena);
	problems_release(&f->problems);
	free(f);
	return 0;
}

static const char *text_of(struct fixture *f, const char *name, const char *reply)
{
	return arena_format(&f->arena,
			    "saga: %s\ninput: in\nkey: id\nsteps: [{id: a, kind: pivot, command: c, replies: "
			    "{succeeded: %s}}]\n",
			    name, reply);
}

static int upload(struct fixture *f, const char *source, bool validate_only, const struct plan **ret_plan,
		  bool *ret_created)
{
	const struct catalog_upload upload = {.file_name = "t.yaml",
					      .source = bytes_of_text(source),
					      .creator = f->creator,
					      .validate_only = validate_only};

	return catalog_put(f->catalog, &upload, ret_plan, ret_created, &f->problems, &f->err);
}

static const struct plan *put(struct fixture *f, const char *name, const char *reply, bool *ret_created)
{
	const struct plan *plan = NULL;

	if (upload(f, text_of(f, name, reply), false, &plan, ret_created) < 0)
		fail_msg("%s", f->err.msg);
	return plan;
}

static void numbers_versions_and_finds_them(void **state)
{
	struct fixture *f = *state;
	const struct plan *first;
	const struct plan *second;
	bool is_created;

	first = put(f, "one", "r1", &is_created);
	assert_true(is_created);
	assert_int_equal(first->definition.version, 1);
	assert_int_equal(first->created_us, 1001);
	second = put(f, "one", "r2", &is_created);
	assert_int_equal(second->definition.version, 2);
	assert_ptr_equal(catalog_by_name(f->catalog, "one", 0), second);
	assert_ptr_equal(catalog_by_name(f->catalog, "one", 1), first);
	assert_null(catalog_by_name(f->catalog, "one", 3));
	assert_null(catalog_by_name(f->catalog, "two", 0));
	assert_ptr_equal(catalog_by_id(f->catalog, first->id), first);
	assert_null(catalog_by_id(f->catalog, 99));
}

static void answers_the_same_version_for_the_same_text(void **state)
{
	struct fixture *f = *state;
	const struct plan *first;
	uint64_t generation;
	bool is_created;

	first = put(f, "one", "r1", &is_created);
	generation = catalog_generation(f->catalog);
	/* A schema that came since changes nothing: the version keeps what it was pinned to. */
	(void)fake_schemas_add(&f->schemas, "c-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message M { string id = 1; optional string more = 2; }");
	assert_ptr_equal(put(f, "one", "r1", &is_created), first);
	assert_false(is_created);
	assert_int_equal(catalog_generation(f->catalog), generation);
}

static void stores_nothing_when_it_only_validates(void **state)
{
	struct fixture *f = *state;
	const struct plan *plan = NULL;
	bool is_created = true;

	for (int i = 0; i < 200; i++)
		assert_int_equal(upload(f, text_of(f, "one", "r1"), true, &plan, &is_created), 0);
	assert_false(is_created);
	assert_string_equal(plan->definition.name, "one");
	assert_int_equal(f->store.count, 0);
	assert_null(catalog_by_name(f->catalog, "one", 0));
}

static void keeps_who_registered_each_version(void **state)
{
	struct fixture *f = *state;
	struct catalog *other = catalog_new_with(&f->port, &f->schemas.source);
	bool is_created;

	(void)put(f, "one", "r1", &is_created);
	f->creator = "bob";
	(void)put(f, "one", "r1", &is_created);
	assert_false(is_created);
	assert_string_equal(catalog_by_name(f->catalog, "one", 0)->creator, "ann");
	(void)put(f, "one", "r2", &is_created);
	assert_string_equal(catalog_by_name(f->catalog, "one", 2)->creator, "bob");
	f->store.items[1].creator = NULL; /* as what was registered before this was recorded */
	assert_int_equal(catalog_refresh(other, &f->err), 0);
	assert_string_equal(catalog_by_name(other, "one", 1)->creator, "ann");
	assert_null(catalog_by_name(other, "one", 2)->creator);
	catalog_free(other);
}

static void finds_what_another_instance_registered(void **state)
{
	struct fixture *f = *state;
	struct catalog *other = catalog_new_with(&f->port, &f->schemas.source);
	const struct plan *plan;
	const struct plan *again;
	bool is_created;

	plan = put(f, "one", "r1", &is_created);
	assert_null(catalog_by_name(other, "one", 0));
	again = catalog_by_id(other, plan->id);
	assert_non_null(again);
	assert_int_equal(again->definition.version, 1);
	assert_ptr_equal(catalog_by_name(other, "one", 0), again);
	assert_int_equal(catalog_generation(other), 1);
	(void)put(f, "two", "r1", &is_created);
	assert_int_equal(catalog_refresh(other, &f->err), 0);
	assert_non_null(catalog_by_name(other, "two", 1));
	catalog_free(other);
}

static void loads_the_others_when_one_cannot_be_loaded_and_tries_again(void **state)
{
	struct fixture *f = *state;
	struct catalog *other = catalog_new_with(&f->port, &f->schemas.source);
	bool is_created;
	int32_t id;

	(void)put(f, "one", "r1", &is_created);
	(void)put(f, "two", "r2", &is_created);
	id = f->store.items[0].pins[0].schema_id;
	f->store.items[0].pins[0].schema_id = 999;
	assert_int_equal(catalog_refresh(other, &f->err), -1);
	assert_non_null(strstr(f->err.msg, "load definition 'one' version 1"));
	assert_null(catalog_by_name(other, "one", 0));
	assert_non_null(catalog_by_name(other, "two", 0));
	f->store.items[0].pins[0].schema_id = id;
	assert_int_equal(catalog_refresh(other, &f->err), 0);
	assert_non_null(catalog_by_name(other, "one", 0));
	catalog_free(other);
}

static void says_that_the_store_is_away(void **state)
{
	struct fixture *f = *state;
	const struct plan *plan;
	bool is_created;

	f->store.is_away = true;
	assert_int_equal(upload(f, text_of(f, "one", "r1"), false, &plan, &is_created), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_int_equal(f->problems.count, 0);
	assert_int_equal(catalog_refresh(f->catalog, &f->err), -1);
}

static void lists_the_newest_of_each_by_name(void **state)
{
	struct fixture *f = *state;
	const struct plan **plans;
	const struct plan *second;
	bool is_created;

	(void)put(f, "zoo", "r1", &is_created);
	(void)put(f, "abc", "r1", &is_created);
	second = put(f, "zoo", "r2", &is_created);
	assert_int_equal(catalog_list(f->catalog, &f->arena, &plans), 2);
	assert_string_equal(plans[0]->definition.name, "abc");
	assert_ptr_equal(plans[1], second);
}

static void names_what_was_probably_meant(void **state)
{
	struct fixture *f = *state;
	bool is_created;

	(void)put(f, "checkout", "r1", &is_created);
	(void)put(f, "check-in", "r1", &is_created);
	assert_string_equal(catalog_nearest(f->catalog, "chekout", &f->arena), "'checkout'");
	assert_string_equal(catalog_nearest(f->catalog, "refund", &f->arena), "");
}

static void lists_reply_topics_of_all_versions_once(void **state)
{
	struct fixture *f = *state;
	const char **topics;
	bool is_created;

	(void)put(f, "one", "r1", &is_created);
	(void)put(f, "one", "r2", &is_created);
	(void)put(f, "two", "r1", &is_created);
	assert_int_equal(catalog_reply_topics(f->catalog, &f->arena, &topics), 2);
	assert_string_equal(topics[0], "r1");
	assert_string_equal(topics[1], "r2");
}

static void tells_who_waits_for_events_in_any_version(void **state)
{
	struct fixture *f = *state;
	const char source[] = "saga: one\ninput: in\nkey: id\nsteps:\n"
			      "- {id: a, wait: {event: r2, timeout: 1h}}\n";
	const struct plan *plan;
	const char **found;
	bool is_created;

	(void)put(f, "two", "r2", &is_created);
	assert_int_equal(catalog_event_topics(f->catalog, &f->arena, &found), 0);
	assert_int_equal(upload(f, source, false, &plan, &is_created), 0);
	(void)put(f, "one", "r1", &is_created); /* which waits no more */
	assert_int_equal(catalog_event_topics(f->catalog, &f->arena, &found), 1);
	assert_string_equal(found[0], "r2");
	assert_int_equal(catalog_waiting_for(f->catalog, "r2", &f->arena, &found), 1);
	assert_string_equal(found[0], "one");
	assert_int_equal(catalog_waiting_for(f->catalog, "r1", &f->arena, &found), 0);
}

static void lists_command_topics_of_steps_and_compensations_once(void **state)
{
	struct fixture *f = *state;
	const char source[] = "saga: one\ninput: in\nkey: id\nsteps:\n"
			      "- {id: a, command: c, replies: {succeeded: r1},\n"
			      "   compensation: {command: undo, replies: {succeeded: r2}}}\n"
			      "- {id: b, kind: pivot, command: c, replies: {succeeded: r1}}\n";
	const struct plan *plan;
	const char **topics;
	bool is_created;

	assert_int_equal(catalog_command_topics(f->catalog, &f->arena, &topics), 0);
	assert_int_equal(upload(f, source, false, &plan, &is_created), 0);
	assert_int_equal(catalog_command_topics(f->catalog, &f->arena, &topics), 2);
	assert_string_equal(topics[0], "c");
	assert_string_equal(topics[1], "undo");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(numbers_versions_and_finds_them),
		TEST(answers_the_same_version_for_the_same_text),
		TEST(stores_nothing_when_it_only_validates),
		TEST(keeps_who_registered_each_version),
		TEST(finds_what_another_instance_registered),
		TEST(loads_the_others_when_one_cannot_be_loaded_and_tries_again),
		TEST(says_that_the_store_is_away),
		TEST(lists_the_newest_of_each_by_name),
		TEST(names_what_was_probably_meant),
		TEST(lists_reply_topics_of_all_versions_once),
		TEST(tells_who_waits_for_events_in_any_version),
		TEST(lists_command_topics_of_steps_and_compensations_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
