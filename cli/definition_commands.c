/* definition_commands.c - sagactl definitions put, get and list. */
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/file.h"
#include "cli/saga_words.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "proto/saga/v1/saga_service.pb-c.h"

enum { SOURCE_BYTES_MAX = 1 << 20, POLL_MS = 200 };

/* ---- put ---- */

static bool put_is_check;
static int64_t put_wait_ms;

static const struct option put_options[] = {
	{.flag = "check", .type = OPTION_BOOL, .help = "Check only; nothing is registered.", .place = &put_is_check},
	{.flag = "wait",
	 .type = OPTION_DURATION_MS,
	 .default_text = "30s",
	 .help = "Wait up to this long until sagas of it can be started; 0 does not wait.",
	 .place = &put_wait_ms},
};

static enum exit_code get_definition(struct session *session_, const char *name, int32_t version,
				     ProtobufCMessage **ret_answer)
{
	Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
	enum exit_code code = EXIT_DONE;

	request.name = (char *)name;
	request.version = version;
	if (session_call(session_, "GetDefinition", &request.base, &saga__v1__get_definition_response__descriptor, 0,
			 ret_answer, &code) < 0)
		return code;
	return EXIT_DONE;
}

/* A coordinator listens to a definition's reply topics some moments after it was registered. */
static enum exit_code wait_until_ready(struct session *session_, const Saga__V1__Definition *definition)
{
	int64_t deadline_us = clock_monotonic_us() + put_wait_ms * 1000;
	bool is_ready = definition->ready;

	while (!is_ready && clock_monotonic_us() < deadline_us) {
		const Saga__V1__Definition *seen;
		ProtobufCMessage *answer;
		enum exit_code code;

		(void)poll(NULL, 0, POLL_MS);
		code = get_definition(session_, definition->name, definition->version, &answer);
		if (code != EXIT_DONE)
			return code;
		seen = ((Saga__V1__GetDefinitionResponse *)answer)->definition;
		is_ready = seen && seen->ready;
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	if (is_ready || put_wait_ms == 0)
		return EXIT_DONE;
	(void)fprintf(
		stderr,
		"sagactl: %s v%" PRId32 " is registered, but after %" PRId64
		" ms the coordinator does not listen to its reply topics yet; is Kafka up, and do the topics exist?\n",
		definition->name, definition->version, put_wait_ms);
	return EXIT_UNAVAILABLE;
}

static enum exit_code show_put(struct session *session_, const char *path,
			       const Saga__V1__PutDefinitionResponse *answer)
{
	const Saga__V1__Definition *definition = answer->definition;
	enum exit_code code = EXIT_DONE;

	if (definition && !put_is_check)
		code = wait_until_ready(session_, definition);
	if (session_wants_json(session_))
		session_print_json(session_, &answer->base);
	else if (put_is_check)
		(void)printf("%s: valid\n", path);
	else if (definition)
		(void)printf("%s v%" PRId32 " %s\n", definition->name, definition->version,
			     answer->created ? "registered" : "is unchanged");
	return code;
}

static enum exit_code put_file(struct session *session_, const char *path)
{
	Saga__V1__PutDefinitionRequest request = SAGA__V1__PUT_DEFINITION_REQUEST__INIT;
	_cleanup_(buffer_release)
	struct buffer source = {0};
	ProtobufCMessage *answer;
	enum exit_code code;
	struct error err;

	if (file_read(path, SOURCE_BYTES_MAX, &source, &err) < 0)
		return session_fail(&err);
	if (!utf8_is_valid(source.data, source.len) || memchr(buffer_text(&source), 0, source.len)) {
		(void)error_set(&err, ERR_INVALID, "%s: is no UTF-8 text", path);
		return session_fail(&err);
	}
	request.source = (char *)buffer_text(&source);
	request.file_name = (char *)path;
	request.validate_only = put_is_check;
	if (session_call(session_, "PutDefinition", &request.base, &saga__v1__put_definition_response__descriptor, 0,
			 &answer, &code) < 0)
		return code;
	code = show_put(session_, path, (Saga__V1__PutDefinitionResponse *)answer);
	protobuf_c_message_free_unpacked(answer, NULL);
	return code;
}

/* Every file is tried, so that all problems are seen at once; the first failure decides the exit code. */
static enum exit_code run_put(struct session *session_, char **arguments, int count)
{
	enum exit_code first_failure = EXIT_DONE;

	for (int i = 0; i < count; i++) {
		enum exit_code code = put_file(session_, arguments[i]);

		if (first_failure == EXIT_DONE)
			first_failure = code;
	}
	return first_failure;
}

const struct command definitions_put_command = {
	.name = "definitions put",
	.arguments = "FILE…",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "register saga definitions",
	.notes = "FILE may be - for standard input. Problems are shown as `file:line:col: error: …`, all of them; the "
		 "exit code "
		 "is 2 then.\n",
	.examples = "sagactl definitions put deploy/shop/checkout.yaml\n"
		    "# check only, such as in a pull request\n"
		    "sagactl definitions put --check sagas/*.yaml\n",
	.options = put_options,
	.option_count = ARRAY_LEN(put_options),
	.run = run_put,
};

/* ---- get ---- */

static int64_t get_version;

static const struct option get_options[] = {
	{.flag = "definition-version",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "Which version; 0 takes the newest.",
	 .place = &get_version},
};

/* "  registered 2026-01-31T10:00:00.000000Z by ann"; who did is not known of versions from before that was recorded. */
static void append_registration(struct buffer *out, const Saga__V1__Definition *definition, bool has_colours)
{
	char time[CLOCK_TEXT_LEN + 1];

	clock_format(time_us(definition->create_time), time);
	buffer_append_format(out, "  registered %s", time);
	if (definition->creator[0]) {
		buffer_append_text(out, " by ");
		table_append_text(out, definition->creator, TABLE_PLAIN, has_colours);
	}
	buffer_append_text(out, "\n");
}

static void append_definition(struct buffer *out, const Saga__V1__Definition *definition, bool has_colours)
{
	struct table table;

	table_append_text(out, definition->name, TABLE_BOLD, has_colours);
	buffer_append_format(out, " v%" PRId32 "  %s  input %s\n", definition->version,
			     definition->ready ? "ready" : "not ready yet", definition->input_subject);
	append_registration(out, definition, has_colours);
	buffer_append_text(out, "steps\n");
	for (size_t i = 0; i < definition->n_step_ids; i++)
		buffer_append_format(out, "  %s\n", definition->step_ids[i]);
	table_init(&table, 4, has_colours);
	for (size_t i = 0; i < definition->n_schemas; i++) {
		const Saga__V1__SchemaBinding *binding = definition->schemas[i];

		table_add(&table, TABLE_PLAIN, "%s", binding->subject);
		table_add(&table, TABLE_PLAIN, "version %" PRId32, binding->version);
		table_add(&table, TABLE_PLAIN, "id %" PRId32, binding->schema_id);
		table_add(&table, TABLE_PLAIN, "%s", binding->message);
	}
	buffer_append_text(out, "schemas\n");
	table_print(&table, out);
	table_release(&table);
	buffer_append_format(out, "source\n%s", definition->source);
}

static enum exit_code run_get(struct session *session_, char **arguments, int count)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	const Saga__V1__Definition *definition;
	ProtobufCMessage *answer;
	enum exit_code code = get_definition(session_, arguments[0], (int32_t)get_version, &answer);

	(void)count;
	if (code != EXIT_DONE)
		return code;
	definition = ((Saga__V1__GetDefinitionResponse *)answer)->definition;
	if (definition && session_wants_json(session_)) {
		session_print_json(session_, &definition->base);
	} else if (definition) {
		append_definition(&out, definition, table_colours_wanted());
		(void)printf("%s", buffer_text(&out));
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

const struct command definitions_get_command = {
	.name = "definitions get",
	.arguments = "DEFINITION",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "show a definition with its schemas and source",
	.examples = "sagactl definitions get checkout\n"
		    "sagactl definitions get checkout --definition-version 3 -o json\n",
	.options = get_options,
	.option_count = ARRAY_LEN(get_options),
	.run = run_get,
};

/* ---- list ---- */

static void add_row(struct table *table, const Saga__V1__Definition *definition)
{
	table_add(table, TABLE_BOLD, "%s", definition->name);
	table_add(table, TABLE_PLAIN, "v%" PRId32, definition->version);
	table_add(table, definition->ready ? TABLE_GREEN : TABLE_YELLOW, "%s",
		  definition->ready ? "ready" : "not ready yet");
	table_add(table, TABLE_PLAIN, "%zu", definition->n_step_ids);
}

/* One page after the other. */
static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	_cleanup_(freep)
	char *page_token = xstrdup("");
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct session_list list = {.session = session_};
	enum exit_code code = EXIT_DONE;
	struct table table;

	(void)arguments;
	(void)count;
	table_init(&table, 4, table_colours_wanted());
	table_add_head(&table, (const char *const[]){"NAME", "VERSION", "STATE", "STEPS"});
	do {
		Saga__V1__ListDefinitionsRequest request = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
		const Saga__V1__ListDefinitionsResponse *page;
		ProtobufCMessage *answer;

		request.page_token = page_token;
		if (session_call(session_, "ListDefinitions", &request.base,
				 &saga__v1__list_definitions_response__descriptor, 0, &answer, &code) < 0)
			break;
		page = (Saga__V1__ListDefinitionsResponse *)answer;
		for (size_t i = 0; i < page->n_definitions; i++) {
			if (session_wants_json(session_))
				session_list_add(&list, &page->definitions[i]->base);
			else
				add_row(&table, page->definitions[i]);
		}
		free(page_token);
		page_token = xstrdup(page->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (page_token[0]);
	if (session_wants_json(session_) && code == EXIT_DONE)
		session_list_end(&list);
	else if (table.cell_count > (size_t)table.columns)
		table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
	return code;
}

const struct command definitions_list_command = {
	.name = "definitions list",
	.summary = "list the newest version of every definition",
	.examples = "sagactl definitions list\n"
		    "sagactl definitions list -o jsonl | jq -r .name\n",
	.run = run_list,
};
