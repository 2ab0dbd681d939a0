/* topic_commands.c - sagactl topics create and list. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/subject_map.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/topic_plan.h"
#include "proto/saga/v1/saga_service.pb-c.h"

static const char *map_path;
static struct topic_sizes sizes;

#define SIZE_OPTIONS(of)                                                                                               \
	{.flag = "partitions",                                                                                         \
	 .type = OPTION_INT,                                                                                           \
	 .default_text = "6",                                                                                          \
	 .min = 1,                                                                                                     \
	 .max = 10000,                                                                                                 \
	 .value_name = "N",                                                                                            \
	 .help = "Partitions of " of ".",                                                                              \
	 .place = &sizes.partitions},                                                                                  \
		{.flag = "replication",                                                                                \
		 .type = OPTION_INT,                                                                                   \
		 .default_text = "1",                                                                                  \
		 .min = 1,                                                                                             \
		 .max = 100,                                                                                           \
		 .value_name = "N",                                                                                    \
		 .help = "Replicas of " of "; 3 in production.",                                                       \
		 .place = &sizes.replication},                                                                         \
		{.flag = "retention",                                                                                  \
		 .type = OPTION_DURATION_MS,                                                                           \
		 .default_text = "7d",                                                                                 \
		 .help = "How long " of " keeps its records.",                                                         \
		 .place = &sizes.retention_ms},                                                                        \
	{                                                                                                              \
		.flag = "dlq-retention", .type = OPTION_DURATION_MS, .default_text = "30d",                            \
		.help = "How long " of " of dead letters keeps them.", .place = &sizes.dead_retention_ms               \
	}

static void add_map(struct topic_plan *plan, const struct subject_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->entries[i].topic)
			topic_plan_add(plan, map->entries[i].topic, NULL);
}

/* Its problems are said. */
static enum exit_code add_map_file(struct topic_plan *plan)
{
	struct subject_map map;
	struct error err;

	if (subject_map_load_or_say(map_path, &map, &err) < 0)
		return exit_code_of(err.code);
	add_map(plan, &map);
	subject_map_release(&map);
	return EXIT_DONE;
}

/* ---- create ---- */

static const struct option create_options[] = {
	{.flag = "map",
	 .is_required = true,
	 .value_name = "FILE",
	 .help = "The list of subjects and their topics, such as proto/shop/subjects.yaml.",
	 .place = &map_path},
	SIZE_OPTIONS("a new topic"),
};

static enum exit_code create_all(const struct session *session_, const struct topic_plan *plan)
{
	const struct kafka_options options = session_kafka(session_);
	_cleanup_(freep)
	struct kafka_topic *topics = xcalloc(plan->count + 1, sizeof(*topics));
	size_t created = 0;
	struct error err;

	for (size_t i = 0; i < plan->count; i++)
		topics[i] = plan->items[i].topic;
	if (kafka_create_topics(&options, topics, plan->count, &created, &err) < 0)
		return session_fail(&err);
	if (session_wants_json(session_))
		(void)printf("{\"topics\":%zu,\"created\":%zu}\n", plan->count, created);
	else
		(void)printf("%zu topics, %zu of them created now\n", plan->count, created);
	return EXIT_DONE;
}

static enum exit_code run_create(struct session *session_, char **arguments, int count)
{
	struct topic_plan plan;
	enum exit_code code;

	(void)arguments;
	(void)count;
	topic_plan_init(&plan, &sizes);
	code = add_map_file(&plan);
	if (code == EXIT_DONE)
		code = create_all(session_, &plan);
	topic_plan_release(&plan);
	return code;
}

const struct command topics_create_command = {
	.name = "topics create",
	.summary = "create the topics of a map of subjects, with their retry topics and dead letters",
	.notes = "Beside each topic stands TOPIC.dlq for dead letters, with one partition; beside one whose name ends "
		 "in\n"
		 ".command also TOPIC.retry.1s and TOPIC.retry.30s. Topics that exist are left as they are.\n",
	.examples = "sagactl topics create --map proto/shop/subjects.yaml\n"
		    "sagactl topics create --map proto/shop/subjects.yaml --partitions 12 --replication 3\n",
	.options = create_options,
	.option_count = ARRAY_LEN(create_options),
	.run = run_create,
};

/* ---- list ---- */

static const struct option list_options[] = {
	{.flag = "map",
	 .value_name = "FILE",
	 .help = "The topics of this list, such as proto/shop/subjects.yaml, instead of those of the definitions.",
	 .place = &map_path},
	SIZE_OPTIONS("a topic"),
};

static void add_definition(struct topic_plan *plan, const Saga__V1__Definition *definition)
{
	for (size_t i = 0; i < definition->n_command_topics; i++)
		topic_plan_add(plan, definition->command_topics[i], definition->name);
	for (size_t i = 0; i < definition->n_reply_topics; i++)
		topic_plan_add(plan, definition->reply_topics[i], definition->name);
}

static enum exit_code add_definitions(struct session *session_, struct topic_plan *plan)
{
	_cleanup_(freep)
	char *page_token = xstrdup("");
	enum exit_code code = EXIT_DONE;

	do {
		Saga__V1__ListDefinitionsRequest request = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
		const Saga__V1__ListDefinitionsResponse *page;
		ProtobufCMessage *answer;

		request.page_token = page_token;
		if (session_call(session_, "ListDefinitions", &request.base,
				 &saga__v1__list_definitions_response__descriptor, 0, &answer, &code) < 0)
			return code;
		page = (Saga__V1__ListDefinitionsResponse *)answer;
		for (size_t i = 0; i < page->n_definitions; i++)
			add_definition(plan, page->definitions[i]);
		free(page_token);
		page_token = xstrdup(page->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (page_token[0]);
	return EXIT_DONE;
}

static void append_texts(struct buffer *out, const char *name, const char *const *texts, size_t count)
{
	buffer_append_format(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(out, i > 0 ? "," : "");
		buffer_append_json_string(out, texts[i], strlen(texts[i]));
	}
	buffer_append_text(out, "]");
}

/* One topic with what is wrong with it. */
struct finding {
	const struct topic_want *want;
	const struct topic_state *state;
	const char *problems[TOPIC_PROBLEMS_MAX];
	size_t problem_count;
};

static void append_json(struct buffer *out, const struct finding *finding)
{
	const struct topic_state *state = finding->state;

	buffer_append_text(out, "{");
	buffer_append_json_member(out, "topic", state->name);
	append_texts(out, "neededBy", finding->want->needed_by, finding->want->needed_count);
	buffer_append_format(out, ",\"exists\":%s", state->exists ? "true" : "false");
	if (state->exists) {
		buffer_append_format(
			out,
			",\"partitions\":%d,\"replication\":%d,\"retentionMs\":%" PRId64 ",\"retentionBytes\":%" PRId64,
			state->partitions, state->replication_factor, state->retention_ms, state->retention_bytes);
		buffer_append_json_member(out, "cleanupPolicy", state->cleanup);
	}
	append_texts(out, "problems", finding->problems, finding->problem_count);
	buffer_append_text(out, "}");
}

static void print_json(const struct session *session_, const struct finding *findings, size_t count)
{
	bool is_lines = strcmp(session_->output, "jsonl") == 0;
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_text(&out, is_lines ? "" : "[");
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(&out, is_lines || i == 0 ? "" : ",\n");
		append_json(&out, &findings[i]);
		buffer_append_text(&out, is_lines ? "\n" : "");
	}
	buffer_append_text(&out, is_lines ? "" : "]\n");
	(void)printf("%s", buffer_text(&out));
}

static void append_joined(struct buffer *out, const char *const *texts, size_t count, const char *between)
{
	for (size_t i = 0; i < count; i++)
		buffer_append_format(out, "%s%s", i > 0 ? between : "", texts[i]);
}

static void add_row(struct table *table, const struct finding *finding)
{
	const struct topic_state *state = finding->state;
	_cleanup_(buffer_release)
	struct buffer retention = {0};
	_cleanup_(buffer_release)
	struct buffer needed = {0};
	_cleanup_(buffer_release)
	struct buffer problems = {0};

	retention_append(&retention, state->retention_ms);
	append_joined(&needed, finding->want->needed_by, finding->want->needed_count, ", ");
	append_joined(&problems, finding->problems, finding->problem_count, "; ");
	table_add(table, finding->problem_count > 0 ? TABLE_RED : TABLE_PLAIN, "%s", state->name);
	if (state->exists) {
		table_add(table, TABLE_PLAIN, "%d", state->partitions);
		table_add(table, TABLE_PLAIN, "%d", state->replication_factor);
		table_add(table, TABLE_PLAIN, "%s", buffer_text(&retention));
		table_add(table, TABLE_PLAIN, "%s", state->cleanup);
	} else {
		for (int i = 0; i < 4; i++)
			table_add(table, TABLE_DIM, "-");
	}
	table_add(table, TABLE_PLAIN, "%s", buffer_text(&needed));
	table_add(table, TABLE_RED, "%s", buffer_text(&problems));
}

static void print_table(const struct finding *findings, size_t count)
{
	static const char *const names[] = {"TOPIC",   "PARTITIONS", "REPLICAS", "RETENTION",
					    "CLEANUP", "NEEDED BY",  "PROBLEMS"};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, ARRAY_LEN(names), table_colours_wanted());
	table.width_max = terminal_of_output().columns;
	table.flexible = 1u << 5 | 1u << 6;
	table_add_head(&table, names);
	for (size_t i = 0; i < count; i++)
		add_row(&table, &findings[i]);
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

static enum exit_code list_all(const struct session *session_, struct topic_plan *plan)
{
	const struct kafka_options options = session_kafka(session_);
	const char **names = arena_alloc(&plan->arena, (plan->count + 1) * sizeof(*names));
	struct finding *findings = arena_zalloc(&plan->arena, (plan->count + 1) * sizeof(*findings));
	struct topic_state *states;
	enum exit_code code = EXIT_DONE;
	struct error err;

	for (size_t i = 0; i < plan->count; i++)
		names[i] = plan->items[i].topic.name;
	if (topic_states_read(&options, names, plan->count, &plan->arena, &states, &err) < 0)
		return session_fail(&err);
	for (size_t i = 0; i < plan->count; i++) {
		findings[i].want = &plan->items[i];
		findings[i].state = &states[i];
		findings[i].problem_count =
			topic_want_check(&plan->items[i], &states[i], &plan->arena, findings[i].problems);
		code = findings[i].problem_count > 0 ? EXIT_FAILED : code;
	}
	if (session_wants_json(session_))
		print_json(session_, findings, plan->count);
	else if (plan->count > 0)
		print_table(findings, plan->count);
	return code;
}

static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	struct topic_plan plan;
	enum exit_code code;

	(void)arguments;
	(void)count;
	topic_plan_init(&plan, &sizes);
	code = map_path ? add_map_file(&plan) : add_definitions(session_, &plan);
	topic_plan_sort(&plan);
	if (code == EXIT_DONE)
		code = list_all(session_, &plan);
	topic_plan_release(&plan);
	return code;
}

const struct command topics_list_command = {
	.name = "topics list",
	.summary = "list the topics that sagas need, with what is wrong with them",
	.notes = "Those of the newest version of each definition, with their retry topics and dead letters. What "
		 "`topics create` "
		 "with\n"
		 "the same flags would make is enough; less is a problem, and so is what deletes records early. The "
		 "exit "
		 "code is 1\n"
		 "when there is one.\n",
	.examples = "sagactl topics list\n"
		    "# before definitions are registered, for production\n"
		    "sagactl topics list --map proto/shop/subjects.yaml --partitions 12 --replication 3\n"
		    "sagactl topics list -o jsonl | jq -r 'select(.problems != []) | .topic'\n",
	.options = list_options,
	.option_count = ARRAY_LEN(list_options),
	.run = run_list,
};
